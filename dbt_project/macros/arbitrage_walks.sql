{#-
    The search for walks: which closed walks of trades through one or two fiats give the most, of
    all that there are, without a try of each.
-#}

{#-
    Returns a query of the walks that are worth a row, by cycle (run) and ticket: of each shape the
    best that is credited and the best that is not, and of each fiat the best that is credited and
    nets what `kept_net_pct` asks, but for those with an official leg. Partners are the best two in
    sound books: a walk that is credited can be missing where both of them net more than
    `suspect_net_pct`. `legs` as `p2p_legs` gives them, `spot_legs` as the macro of that name,
    `official` (run_id, fiat_code, rate).

    `one_book`   fiat_code > asset_code > fiat_code
    `spot`       fiat_code > asset_code > second_asset_code > fiat_code
    `two_fiats`  fiat_code > asset_code > second_fiat_code > second_asset_code > fiat_code
    `official`   fiat_code > asset_code > second_fiat_code > fiat_code
-#}
{% macro best_walks(legs, spot_legs, official, runs, rules) -%}
    with

    -- In one fiat one coin is sold and one bought, the same or another. Doubles do for the search:
    -- what a walk gives is computed again from its legs.
    swaps as {{ once() }} (

        select
            sold.run_id,
            sold.ticket_usd,
            sold.fiat_code,
            sold.asset_code as sold_asset,
            bought.asset_code as bought_asset,
            {{ to_double('sold.net_rate') }} * {{ to_double('bought.net_rate') }} as factor,
            {{ to_double('sold.net_rate') }} * {{ to_double('bought.moved_net_rate') }}
                as moved_factor,
            sold.is_fresh
            and sold.is_credible
            and bought.is_fresh
            and bought.is_credible as is_sound
        from {{ legs }} as sold
        inner join {{ legs }} as bought
            on
                sold.run_id = bought.run_id
                and sold.ticket_usd = bought.ticket_usd
                and sold.fiat_code = bought.fiat_code
        where sold.side = 'SELL' and bought.side = 'BUY'

    ),

    -- A walk through two fiats is a swap in each, the one the other way round. So for each swap its
    -- best two partners are enough (the best can be in the same fiat): no pair of fiats is tried.
    ranked_swaps as {{ once() }} (

        select
            *,
            row_number() over (
                partition by run_id, ticket_usd, sold_asset, bought_asset, is_sound
                order by moved_factor desc, fiat_code asc
            ) as nth_best
        from swaps
        where sold_asset != bought_asset and moved_factor is not null

    ),

    -- The same with an official leg: who pays the coin here, and who gets money for it there.
    ends as (

        select
            legs.run_id,
            legs.ticket_usd,
            legs.fiat_code,
            legs.asset_code,
            legs.side,
            legs.is_fresh and legs.is_credible as is_sound,
            case legs.side
                when 'BUY' then {{ to_double('legs.moved_net_rate * official.rate') }}
                else {{ to_double('legs.net_rate / official.rate') }}
            end as factor
        from {{ legs }} as legs
        inner join {{ official }} as official
            on legs.run_id = official.run_id and legs.fiat_code = official.fiat_code
        where legs.side = 'SELL' or legs.moved_net_rate is not null

    ),

    ranked_ends as {{ once() }} (

        select
            *,
            row_number() over (
                partition by run_id, ticket_usd, asset_code, side, is_sound
                order by factor desc, fiat_code asc
            ) as nth_best
        from ends

    ),

    candidates as (

        select
            run_id,
            ticket_usd,
            'one_book' as shape,
            fiat_code as found_for,
            fiat_code,
            bought_asset as asset_code,
            null as second_fiat_code,
            null as second_asset_code,
            factor,
            is_sound
        from swaps
        where sold_asset = bought_asset

        union all

        select
            swaps.run_id,
            swaps.ticket_usd,
            'spot' as shape,
            swaps.fiat_code as found_for,
            swaps.fiat_code,
            swaps.bought_asset as asset_code,
            null as second_fiat_code,
            swaps.sold_asset as second_asset_code,
            swaps.factor * {{ to_double('spot_legs.net_rate') }} as factor,
            swaps.is_sound and spot_legs.is_fresh as is_sound
        from swaps
        inner join {{ spot_legs }} as spot_legs
            on
                swaps.run_id = spot_legs.run_id
                and swaps.bought_asset = spot_legs.from_asset
                and swaps.sold_asset = spot_legs.to_asset

        union all

        select
            here.run_id,
            here.ticket_usd,
            'two_fiats' as shape,
            here.fiat_code as found_for,
            least(here.fiat_code, there.fiat_code) as fiat_code,
            case
                when here.fiat_code < there.fiat_code then here.bought_asset else here.sold_asset
            end as asset_code,
            greatest(here.fiat_code, there.fiat_code) as second_fiat_code,
            case
                when here.fiat_code < there.fiat_code then here.sold_asset else here.bought_asset
            end as second_asset_code,
            here.moved_factor * there.moved_factor as factor,
            here.is_sound and there.is_sound as is_sound
        from ranked_swaps as here
        inner join ranked_swaps as there
            on
                here.run_id = there.run_id
                and here.ticket_usd = there.ticket_usd
                and here.sold_asset = there.bought_asset
                and here.bought_asset = there.sold_asset
                and here.fiat_code != there.fiat_code
        where there.nth_best <= 2

        union all

        select
            here.run_id,
            here.ticket_usd,
            'official' as shape,
            here.fiat_code as found_for,
            case here.side when 'BUY' then here.fiat_code else there.fiat_code end as fiat_code,
            here.asset_code,
            case here.side when 'BUY' then there.fiat_code else here.fiat_code end
                as second_fiat_code,
            null as second_asset_code,
            here.factor * there.factor as factor,
            here.is_sound and there.is_sound as is_sound
        from ranked_ends as here
        inner join ranked_ends as there
            on
                here.run_id = there.run_id
                and here.ticket_usd = there.ticket_usd
                and here.asset_code = there.asset_code
                and here.side != there.side
                and here.fiat_code != there.fiat_code
        where there.nth_best <= 2

    ),

    judged as (

        select
            candidates.*,
            candidates.is_sound
            and candidates.factor <= 1 + rules.suspect_net_pct / 100 as is_credited,
            candidates.factor >= 1 + rules.kept_net_pct / 100 as is_worth_a_row
        from candidates
        inner join {{ runs }} as runs on candidates.run_id = runs.run_id
        inner join {{ rules }} as rules on {{ holds_at('rules', 'runs.as_of') }}

    ),

    numbered as (

        select
            *,
            row_number() over (
                partition by run_id, ticket_usd, shape, is_credited
                order by factor desc, fiat_code asc, asset_code asc
            ) as nth_best,
            row_number() over (
                partition by run_id, ticket_usd, shape, is_credited, found_for
                order by factor desc, fiat_code asc, asset_code asc
            ) as nth_of_fiat
        from judged

    )

    -- A walk that is the best of both its fiats was found for each.
    select distinct
        run_id,
        ticket_usd,
        shape,
        fiat_code,
        asset_code,
        second_fiat_code,
        second_asset_code
    from numbered
    where
        nth_best = 1
        or (nth_of_fiat = 1 and is_credited and is_worth_a_row and shape != 'official')
{%- endmacro %}
