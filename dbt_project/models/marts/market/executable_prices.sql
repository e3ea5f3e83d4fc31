{{ config(materialized='view') }}

with

books as (

    -- Without a price of the dollar nobody knows how much fiat a ticket is.
    select * from {{ ref('int_book_capacity') }}
    where usd_price is not null

),

-- The method first, and of its row the tickets: who asks for one method pays for no other.
methods as (

    select
        books.*,
        methods.identifier,
        methods.number as nth_method
    from books
    {{ unnest_together(['books.payment_methods'], 'methods', ['identifier']) }}
    where methods.identifier is distinct from ''

),

final as (

    select
        methods.snapshot_id,
        case
            when methods.identifier is not null then {{ surrogate_key(['methods.identifier']) }}
        end as payment_method_key,
        methods.fiat_code,
        methods.asset_code,
        methods.side,
        coalesce(methods.identifier, 'any') as payment_method,
        tickets.ticket_usd,
        tickets.ticket_usd * methods.usd_price as ticket_amount,
        tickets.single_order_price,
        tickets.single_order_price_eligible,
        tickets.sweep_price,
        tickets.fill_ratio,
        tickets.n_orders,
        trim_scale(
            case methods.side when 'BUY' then 100 else -100 end
            * (tickets.sweep_price / methods.best_eligible - 1)
        ) as slippage_pct,
        methods.n_offers,
        methods.confidence,
        -- A walk can leave a rest under every minimum where one order takes the whole.
        tickets.fill_ratio = 1 or tickets.single_order_price is not null as is_filled,
        methods.snapshot_at
    from methods
    {{ unnest_together(
        [
            'methods.tickets',
            row_of('methods.single_order_prices', 'methods.nth_method'),
            row_of('methods.single_order_prices_eligible', 'methods.nth_method'),
            row_of('methods.sweep_prices', 'methods.nth_method'),
            row_of('methods.fill_ratios', 'methods.nth_method'),
            row_of('methods.order_counts', 'methods.nth_method'),
        ],
        'tickets',
        [
            'ticket_usd', 'single_order_price', 'single_order_price_eligible', 'sweep_price',
            'fill_ratio', 'n_orders',
        ],
    ) }}

)

select * from final
