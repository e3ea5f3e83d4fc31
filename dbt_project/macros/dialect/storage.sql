{#-
    Runs what has pages keep room for other versions of their rows, for a table of which most that
    is not past is updated in each cycle. On PostgreSQL an update that changes no indexed column and
    finds room beside leaves the indexes alone, which of a long history are the dearest to write.
-#}
{% macro keep_room(percent) %}
    {% if not is_incremental() %}
        {{ adapter.dispatch('keep_room', 'p2p')(percent) }}
    {% endif %}
{% endmacro %}

{% macro default__keep_room(percent) %}
    alter table {{ this }} set (fillfactor = {{ 100 - percent }})
{% endmacro %}
