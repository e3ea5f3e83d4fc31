{#-
    Returns a query of a seed of rules, pivoted: one row per date from which one of them is another,
    a column of each rule's threshold as it is from then on.
-#}
{% macro rule_thresholds(seed, names) -%}
    select
        rules.valid_from,
        lead(rules.valid_from) over (order by rules.valid_from) as valid_to,
        {% for name in names %}
            max(
                case when rules.rule = '{{ name }}' then rules.threshold end
            ) as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from (
        select
            dates.valid_from,
            standing.rule,
            standing.threshold,
            row_number() over (
                partition by dates.valid_from, standing.rule
                order by standing.valid_from desc
            ) as nth_latest
        from (select distinct dated.valid_from from {{ seed }} as dated) as dates
        inner join {{ seed }} as standing on dates.valid_from >= standing.valid_from
    ) as rules
    where rules.nth_latest = 1
    group by rules.valid_from
{%- endmacro %}

{#-
    Runs the look-up again for offers that began at or after the horizon: a late load can split the
    version of an advertiser under offers of other books, which were told before it came.
-#}
{% macro refresh_advertiser_keys() %}
    {% if is_incremental() %}
        update {{ this }} as offers
        set advertiser_key = advertisers.advertiser_key
        from {{ ref('dim_advertisers') }} as advertisers
        where
            offers.valid_from >= ({{ horizon() }})
            and offers.user_no = advertisers.user_no
            and offers.valid_from >= advertisers.valid_from
            and (offers.valid_from < advertisers.valid_to or advertisers.valid_to is null)
            and offers.advertiser_key is distinct from advertisers.advertiser_key
    {% endif %}
{% endmacro %}
