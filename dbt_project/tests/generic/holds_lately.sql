{#-
    Why: a rule between columns of one row of a view that is spread over all of history, where only
    what is new can be wrong: read back from the newest reading, and not from the clock.
-#}
{% test holds_lately(model, condition, column='snapshot_at', minutes=15) %}

    select *
    from {{ model }}
    where
        {{ column }} between (
            select max(newest.started_at) - interval '{{ minutes }} minutes'
            from {{ ref('fact_snapshots') }} as newest
        ) and 'infinity'
        and not ({{ condition }})

{% endtest %}
