"""The contracts in words; their numbers are in the facts and assumptions."""

from __future__ import annotations

from dataclasses import dataclass, field

SERVED_BY: dict[str, tuple[str, ...]] = {
    "ampere_on": ("a100", "h100", "h200"),
    "hopper": ("h100", "h200", "b200_hgx", "gb200_nvl72", "gb300_nvl72"),
    "hopper_on": ("h100", "h200", "b200_hgx", "gb200_nvl72", "gb300_nvl72", "vr_nvl144", "rubin_ultra_nvl576"),
    "blackwell": ("gb200_nvl72", "gb300_nvl72"),
    "blackwell_any": ("b200_hgx", "gb200_nvl72", "gb300_nvl72"),
    "blackwell_on": ("gb200_nvl72", "gb300_nvl72", "vr_nvl144", "rubin_ultra_nvl576"),
    "gb300": ("gb300_nvl72",),
    "gb300_on": ("gb300_nvl72", "vr_nvl144", "rubin_ultra_nvl576"),
    "rubin": ("vr_nvl144", "rubin_ultra_nvl576"),
    "rubin_ultra": ("rubin_ultra_nvl576",),
}
"""Generations a contract accepts."""

METRO_US = [
    "weehawken-nj", "orangeburg-ny", "kenilworth-nj", "chicago-il", "columbus-oh", "douglasville-ga",
    "plano-tx", "phoenix-az", "las-vegas-nv", "reno-nv", "hillsboro-or",
]  # fmt: skip
"""Sites within a few milliseconds of the metropolitan users of inference."""


@dataclass(frozen=True)
class Deal:
    """A contract in words: who, signed or not, generation named, generations accepted, use, and where it may stand."""

    contract_id: str
    customer: str
    status: str
    native: str
    served_by: str
    use: str = "training"
    zones: list[str] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)


US = ["US"]
CONTRACTS: tuple[Deal, ...] = (
    # Running or signed.
    Deal("microsoft_base", "Microsoft", "firm", "h100", "hopper", zones=US),
    Deal("nvidia_osprey", "NVIDIA", "firm", "h100", "hopper", zones=US),
    Deal("openai_2025a", "OpenAI", "firm", "gb200_nvl72", "blackwell", sites=["denton-tx"]),
    Deal("openai_2025b", "OpenAI", "firm", "gb200_nvl72", "blackwell", zones=US),
    Deal("openai_2025c", "OpenAI", "firm", "gb300_nvl72", "gb300_on", zones=US),
    Deal("meta_2025", "Meta", "firm", "gb300_nvl72", "blackwell", zones=US, excluded=["denton-tx"]),
    Deal("ibm", "IBM", "firm", "gb200_nvl72", "blackwell", sites=["orangeburg-ny"]),
    Deal("cohere", "Cohere", "firm", "gb200_nvl72", "blackwell", sites=["columbus-oh", "chester-va"]),
    Deal("mistral", "Mistral AI", "firm", "gb200_nvl72", "blackwell", zones=["EU", "NO"]),
    Deal("backlog_us_hopper", "Enterprises US", "firm", "h100", "hopper", use="inference", zones=US),
    Deal("backlog_europe_hopper", "Enterprises Europe", "firm", "h200", "hopper", use="inference", zones=["GB", "EU"]),
    Deal("backlog_us_blackwell", "AI labs US", "firm", "gb200_nvl72", "blackwell", zones=US),
    Deal("backlog_nordic_blackwell", "AI labs Europe", "firm", "gb200_nvl72", "blackwell", zones=["NO", "EU"]),
    # Prospects.
    Deal("meta_2026", "Meta", "prospect", "vr_nvl144", "gb300_on", zones=US, excluded=["denton-tx"]),
    Deal("frontier_50k", "Frontier lab", "prospect", "gb300_nvl72", "gb300_on", zones=US, excluded=["denton-tx"]),
    Deal("poolside_gb300", "Poolside", "prospect", "gb300_nvl72", "gb300", zones=US),
    Deal("hyperscaler_2027", "Hyperscaler", "prospect", "vr_nvl144", "rubin", zones=US),
    Deal("sovereign_eu", "European public sector", "prospect", "gb300_nvl72", "blackwell_on", zones=["EU", "NO"]),
    Deal("sovereign_gb", "British public sector", "prospect", "gb300_nvl72", "blackwell_on", zones=["GB"]),
    Deal("inference_us", "Consumer assistant", "prospect", "h100", "hopper_on", use="inference", sites=METRO_US),
    Deal("research_h100", "University consortium", "prospect", "h100", "ampere_on", zones=["US", "GB", "EU"]),
    Deal("nvidia_renewal", "NVIDIA", "prospect", "h100", "hopper", zones=US),
    Deal("openai_renewal", "OpenAI", "prospect", "vr_nvl144", "gb300_on", zones=US),
    Deal("microsoft_renewal", "Microsoft", "prospect", "h100", "hopper_on", zones=US),
    Deal("hyperscaler_2028", "Second hyperscaler", "prospect", "vr_nvl144", "rubin", zones=US),
    Deal("frontier_2028", "Frontier lab", "prospect", "rubin_ultra_nvl576", "rubin_ultra", zones=US),
)
