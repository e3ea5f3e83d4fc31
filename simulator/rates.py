"""What money is worth in the simulated world: the one place where rates are written down.

Plausible for late 2026, not quotations: the market only needs magnitudes that differ as the real
ones do, so that price scales, limits and the number of digits come out as on the real exchange.
"""

from __future__ import annotations

# Units of the fiat for one US dollar.
FIAT_PER_USD: dict[str, float] = {
    "AED": 3.6725, "AFN": 68.2, "ALL": 83.6, "AMD": 383.0, "AOA": 917.0, "ARS": 1485.0,
    "AUD": 1.52, "AZN": 1.70, "BAM": 1.68, "BDT": 122.6, "BHD": 0.376, "BIF": 2960.0,
    "BND": 1.29, "BOB": 12.6, "BRL": 5.36, "BSD": 1.0, "BWP": 13.4, "BYN": 3.1,
    "BZD": 2.01, "CAD": 1.39, "CDF": 2250.0, "CHF": 0.80, "CLP": 938.0, "CNY": 7.08,
    "COP": 3790.0, "CRC": 502.0, "CVE": 95.0, "DJF": 177.7, "DKK": 6.43, "DOP": 63.4,
    "DZD": 236.0, "EGP": 47.6, "ERN": 15.0, "GBP": 0.755, "GEL": 2.71, "GMD": 72.5,
    "GNF": 8690.0, "GTQ": 7.66, "HKD": 7.78, "HNL": 26.3, "HTG": 131.0, "IDR": 16640.0,
    "INR": 88.9, "IQD": 1412.0, "ISK": 126.5, "JMD": 160.4, "JOD": 0.709, "JPY": 154.8,
    "KES": 129.4, "KGS": 87.4, "KHR": 4015.0, "KMF": 424.0, "KWD": 0.307, "KYD": 0.833,
    "KZT": 523.0, "LAK": 21650.0, "LBP": 89600.0, "LKR": 331.0, "LRD": 181.0, "LYD": 7.6,
    "MAD": 9.28, "MDL": 16.9, "MGA": 4480.0, "MKD": 53.0, "MNT": 3590.0, "MOP": 8.01,
    "MRU": 39.8, "MWK": 1735.0, "MXN": 18.4, "MZN": 63.9, "NAD": 17.2, "NIO": 36.8,
    "NPR": 142.3, "NZD": 1.77, "OMR": 0.385, "PAB": 1.0, "PEN": 3.38, "PGK": 4.23,
    "PHP": 58.7, "PKR": 281.5, "PYG": 7030.0, "QAR": 3.64, "RSD": 100.8, "RWF": 1452.0,
    "SAR": 3.75, "SCR": 14.3, "SDG": 3450.0, "SEK": 9.48, "SLE": 23.2, "SOS": 571.0,
    "SYP": 11050.0, "THB": 32.4, "TJS": 9.23, "TMT": 19.4, "TND": 2.94, "TRY": 42.3,
    "TTD": 6.78, "TWD": 31.1, "TZS": 2450.0, "UAH": 42.1, "UGX": 3630.0, "USD": 1.0,
    "UYU": 39.8, "UZS": 11950.0, "VES": 642.0, "VND": 26380.0, "XAF": 564.0, "XOF": 564.0,
    "YER": 1615.0, "ZAR": 17.2, "ZMW": 22.7, "ZWG": 26.4,
}  # fmt: skip

# US dollars for one unit of the asset.
ASSET_USD: dict[str, float] = {
    "USDT": 1.0, "BTC": 93400.0, "FDUSD": 0.998, "BNB": 935.0, "ETH": 3140.0, "TRX": 0.289,
    "SHIB": 0.0000091, "DOGE": 0.162, "ADA": 0.49, "SOL": 141.0, "USDC": 1.0,
    "PEPE": 0.0000052, "TRUMP": 7.1,
}  # fmt: skip

# By how much a dollar costs more on the market than at the official rate, where a state rations it:
# a fraction of the official rate. Elsewhere the two agree.
PARALLEL_PREMIUM: dict[str, float] = {
    "AOA": 0.06, "ARS": 0.04, "BDT": 0.005, "BIF": 0.15, "BOB": 0.82, "DZD": 0.80, "EGP": 0.01,
    "IQD": 0.08, "LYD": 0.39, "MWK": 0.30, "SDG": 4.70, "SYP": 0.02, "TMT": 4.50, "TND": 0.02,
    "VES": 0.48, "YER": 0.05, "ZWG": 0.12,
}  # fmt: skip


def fair_price(fiat: str, asset: str) -> float:
    """Fiat for one unit of the asset, before any premium of the P2P market."""
    return FIAT_PER_USD[fiat] * ASSET_USD[asset]
