{#-
    Returns a condition on the offers of pages: the book that was asked for holds this one. What has
    no number or no price, the wrong side or another book's currencies stays out of the facts, and
    is counted in `fact_snapshots`.
-#}
{% macro is_of_its_book() -%}
    adv_no is not null
    and price > 0
    and not is_foreign
    and (maker_side is null or maker_side != side)
{%- endmacro %}

{#-
    Returns what the pages of `readings` hold and what is wrong with each by itself, whatever others
    of its book show, as a query: one row per reading with pages. `offers` are those of these pages;
    the thresholds are those of `rules`. All three are relations.
-#}
{% macro examined_readings(readings, offers, rules) -%}
    with

    -- By number: an ad that moved across a page edge came twice.
    ads as {{ once() }} (

        select
            snapshot_id,
            adv_no,
            count(*) as times,
            min(price) filter (where {{ is_of_its_book() }}) as price,
            bool_or(is_foreign) as is_foreign,
            bool_or(maker_side = side) as is_of_wrong_side
        from {{ offers }}
        group by snapshot_id, adv_no

    ),

    counted as (

        select
            snapshot_id,
            sum(times) as offers_landed,
            count(price) as offers_usable,
            count(*) filter (
                where adv_no is not null and price is null and is_foreign
            ) as offers_foreign,
            count(*) filter (
                where adv_no is not null and price is null and not is_foreign and is_of_wrong_side
            ) as offers_of_wrong_side,
            percentile_disc(0.5) within group (order by price) as middle_price
        from ads
        group by snapshot_id

    ),

    found as (

        select
            readings.snapshot_id,
            readings.started_at,
            readings.is_complete,
            readings.announced_total,
            readings.offers_seen,
            readings.offers_distinct,
            readings.offers_unnumbered,
            readings.duplicates,
            coalesce(counted.offers_landed, 0) as offers_landed,
            coalesce(counted.offers_usable, 0) as offers_usable,
            coalesce(counted.offers_foreign, 0) as offers_foreign,
            coalesce(counted.offers_of_wrong_side, 0) as offers_of_wrong_side,
            readings.offers_distinct
            - coalesce(
                counted.offers_usable + counted.offers_foreign + counted.offers_of_wrong_side, 0
            ) as offers_rejected,
            counted.middle_price
        from {{ readings }} as readings
        left join counted on readings.snapshot_id = counted.snapshot_id
        where not readings.is_unchanged

    )

    select
        found.snapshot_id,
        found.offers_rejected,
        found.offers_foreign,
        found.offers_of_wrong_side,
        case
            when found.offers_usable >= rules.price_leap_offers then found.middle_price
        end as middle_price,
        nullif(
            concat_ws(
                ', ',
                case
                    when found.duplicates > rules.many_duplicates * found.offers_seen
                        then 'many_duplicates'
                end,
                case
                    when
                        found.offers_rejected + found.offers_unnumbered
                        > rules.rejected_offers * found.offers_seen
                        then 'rejected_offers'
                end,
                case
                    when found.offers_foreign > rules.foreign_offers * found.offers_seen
                        then 'foreign_offers'
                end,
                case
                    when
                        found.offers_of_wrong_side
                        > rules.maker_side_mismatch * found.offers_distinct
                        then 'maker_side_mismatch'
                end,
                case
                    when
                        found.offers_distinct > rules.more_than_announced * found.announced_total
                        then 'more_than_announced'
                end,
                case
                    when found.is_complete and found.offers_landed < found.offers_seen
                        then 'pages_lost'
                end
            ),
            ''
        ) as faults
    from found
    inner join {{ rules }} as rules
        on
            found.started_at >= rules.valid_from
            and (found.started_at < rules.valid_to or rules.valid_to is null)
{%- endmacro %}
