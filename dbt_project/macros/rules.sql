{#-
    Returns a query of a seed of rules, pivoted: one row per date from which one of them is another,
    a column of each rule's threshold as it is from then on. The first of them hold for all that
    lies before as well: a reading whose clock says 1970 is judged like any other.
-#}
{% macro rule_thresholds(seed, names) -%}
    select
        case
            when lag(rules.valid_from) over (order by rules.valid_from) is null
                then '-infinity'::timestamptz
            else rules.valid_from
        end as valid_from,
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

{#- Returns a condition: a row of a seed, which holds from a time until another, holds at `at`. -#}
{% macro holds_at(rule, at) -%}
    {{ at }} >= {{ rule }}.valid_from
    and ({{ at }} < {{ rule }}.valid_to or {{ rule }}.valid_to is null)
{%- endmacro %}

{#-
    Runs the look-up of the advertiser's version again for rows whose `moment` is at or after the
    horizon: a late load can split the version of an advertiser under rows of other books, which
    were written before it came. `ends` or `day` narrow them by a column with an index: null or not
    before the horizon, or its day.
-#}
{% macro refresh_advertiser_keys(moment='valid_from', ends=none, day=none) %}
    {%- set day_of_horizon = utc_day('(' ~ horizon() ~ ')') -%}
    {% if is_incremental() %}
        update {{ this }} as dated
        set advertiser_key = advertisers.advertiser_key
        from {{ ref('dim_advertisers') }} as advertisers
        where
            dated.{{ moment }} >= ({{ horizon() }})
            {% if ends %}
                and (
                    dated.{{ ends }} is null
                    or dated.{{ ends }} between ({{ horizon() }}) and 'infinity'
                )
            {% endif %}
            {% if day %}
                and dated.{{ day }} between {{ day_of_horizon }} and 'infinity'
            {% endif %}
            and dated.user_no = advertisers.user_no
            and dated.{{ moment }} >= advertisers.valid_from
            and (dated.{{ moment }} < advertisers.valid_to or advertisers.valid_to is null)
            and dated.advertiser_key is distinct from advertisers.advertiser_key
    {% endif %}
{% endmacro %}
