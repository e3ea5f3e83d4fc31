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

{#-
    Runs what tells the planner how large a table is that was just made anew. Until a server finds
    the time for it on its own, PostgreSQL takes any such table for a small one, and walks it once
    for each row of another. What is added to later is left to the server.
-#}
{% macro take_stock() %}
    {% if model.config.materialized in ('table', 'incremental') and not is_incremental() %}
        {{ adapter.dispatch('take_stock', 'p2p')() }}
    {% endif %}
{% endmacro %}

{% macro default__take_stock() %}
    analyze {{ this }}
{% endmacro %}
