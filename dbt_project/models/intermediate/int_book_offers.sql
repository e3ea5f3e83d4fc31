{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        indexes=[{'columns': ['snapshot_at']}],
        pre_hook=[
            '{{ claim_loads(["fact_snapshots", "fact_offers", "fact_advertiser_statistics"]) }}',
            '{{ start_afresh() }}',
        ],
    )
}}

{{ ranked_offers(unread_since(['fact_snapshots', 'fact_offers', 'fact_advertiser_statistics'])) }}
