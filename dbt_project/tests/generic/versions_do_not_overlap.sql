{#-
    Why: two versions valid at one moment would put an offer into a book twice, and an empty one
    never was.
-#}
{% test versions_do_not_overlap(model, columns) %}

    with

    versions as (

        select
            {{ columns | join(', ') }},
            valid_from,
            valid_to,
            lead(valid_from) over (
                partition by {{ columns | join(', ') }} order by valid_from
            ) as next_from
        from {{ model }}

    )

    select *
    from versions
    where
        valid_to <= valid_from
        or next_from <= valid_from
        or (next_from is not null and (valid_to is null or valid_to > next_from))

{% endtest %}
