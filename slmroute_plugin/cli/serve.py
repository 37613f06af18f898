"""The command `slmroute serve`: an OpenAI-compatible endpoint that routes by a threshold."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from slmroute_plugin.cli.serve_options import (
    MOST_TOKENS,
    AnyTemperatureOption,
    ApiKeyEnvOption,
    CompareByOption,
    HostOption,
    LlmBaseUrlOption,
    LlmOption,
    LlmSetOption,
    LogOption,
    LogTextOption,
    MaxBodyBytesOption,
    MaxTokensOption,
    MostPendingOption,
    MostWaitingOption,
    PortOption,
    ShadowBudgetUsdOption,
    ShadowOption,
    SlmTimeoutOption,
)
from slmroute_plugin.cli.slm_options import (
    CueOption,
    DatasetOption,
    KindOption,
    MethodOptions,
    PricesOption,
    ProbesOption,
    SeedOption,
    SlmArgs,
    SlmOption,
    ThresholdPath,
    slm_choice,
    threshold_rule,
    warn_of_changes,
)

if TYPE_CHECKING:
    from slmroute_plugin.llm.model_price import PriceList
    from slmroute_plugin.llm.settings import LlmSettings
    from slmroute_plugin.serving.opened_proxy import ProxySettings
    from slmroute_plugin.serving.slm_model import SlmChoice
    from slmroute_plugin.serving.threshold_rule import ThresholdRule

_EXTRA = 'it needs more packages: pip install "slmroute[serve]"'
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# A client waits: what does not come soon is given up, and answers stay off the disk unless asked.
_LLM_DEFAULTS: dict[str, Any] = {"max_attempts": 2, "timeout_s": 60.0, "cache": None}


def serve(
    threshold_file: ThresholdPath,
    slm: SlmOption,
    slm_args: SlmArgs = "",
    llm: LlmOption = None,
    llm_base_url: LlmBaseUrlOption = None,
    llm_set: LlmSetOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    api_key_env: ApiKeyEnvOption = None,
    log: LogOption = Path("decisions.jsonl"),
    log_text: LogTextOption = False,
    shadow: ShadowOption = 0.0,
    shadow_budget_usd: ShadowBudgetUsdOption = None,
    compare_by: CompareByOption = "",
    max_tokens: MaxTokensOption = None,
    any_temperature: AnyTemperatureOption = False,
    slm_timeout: SlmTimeoutOption = 30.0,
    most_waiting: MostWaitingOption = 64,
    most_pending: MostPendingOption = 256,
    max_body_bytes: MaxBodyBytesOption = 4 * 2**20,
    kind: KindOption = "free",
    cue: CueOption = "",
    method_options: MethodOptions = "{}",
    seed: SeedOption = 0,
    probes: ProbesOption = None,
    dataset: DatasetOption = "",
    prices: PricesOption = None,
) -> None:
    """Serve an OpenAI-compatible endpoint that routes each request by a calibrated threshold.

    The SLM answers first. If its confidence is below the threshold, the request goes to the LLM, as
    it is. The model names are slmroute/THRESHOLD, slmroute/slm and slmroute/llm.

    Example: slmroute serve results/Qwen__Qwen3-0.6B/thresholds/perplexity.ratio-0.3.json
    --slm hf --slm-args pretrained=Qwen/Qwen3-0.6B,enable_thinking=False --llm gpt-4.1-mini

    Example: slmroute serve perplexity.ratio-0.3.json --slm http://127.0.0.1:8000/v1
    --slm-args model=Qwen/Qwen3-0.6B --llm gpt-4.1-mini --shadow 0.05 --shadow-budget-usd 1
    """
    rule = threshold_rule(threshold_file)
    choice = slm_choice(
        threshold_file, slm, slm_args, kind, cue, method_options, seed, probes, dataset, prices
    )
    _check_extra()
    from slmroute_plugin.backends.generation import Generation
    from slmroute_plugin.serving.chat_request import Defaults
    from slmroute_plugin.serving.opened_proxy import ProxySettings
    from slmroute_plugin.serving.proxy import ProxyLimits
    from slmroute_plugin.serving.shadow import ShadowSettings

    upstream = _llm_settings(llm or rule.file.llm, llm_base_url, llm_set or [], choice.prices)
    _check_budget(upstream, shadow, shadow_budget_usd)
    _check_rule(compare_by)
    _check_address(host, port)
    studied = Generation.of(rule.generation, MOST_TOKENS)
    settings = ProxySettings(
        llm=upstream,
        defaults=Defaults(max_tokens or studied.max_tokens, studied.stops, any_temperature),
        limits=ProxyLimits(most_pending, max_body_bytes, _key(api_key_env)),
        shadow=ShadowSettings(shadow, shadow_budget_usd, seed),
        log=log,
        log_text=log_text,
        same_by=compare_by,
        slm_timeout_s=slm_timeout,
        most_waiting=most_waiting,
        facts=choice.facts,
    )
    if host not in _LOOPBACK and api_key_env is None:
        typer.echo(
            f"Warning: whoever reaches {host} can ask both models: set --api-key-env.", err=True
        )
    warn_of_changes(rule, choice)
    _run(rule, choice, settings, host, port)


def _check_extra() -> None:
    """Refuse to start without the packages of the extra.

    Raises:
        typer.BadParameter: a package is not installed.
    """
    try:
        import uvicorn  # noqa: F401

        import slmroute_plugin.serving.proxy_app  # noqa: F401
    except ImportError as error:
        raise typer.BadParameter(f"{error}: {_EXTRA}.") from None


def _run(
    rule: ThresholdRule, choice: SlmChoice, settings: ProxySettings, host: str, port: int
) -> None:
    """Load the SLM, and serve until a signal ends it.

    Raises:
        typer.Exit: a model cannot be used.
    """
    import asyncio

    import uvicorn

    from slmroute_plugin.llm.exchange import LlmError
    from slmroute_plugin.serving.opened_proxy import check_openable, opened_proxy
    from slmroute_plugin.serving.proxy_app import proxy_app
    from slmroute_plugin.serving.slm_model import SlmError, quiet_lm_eval
    from slmroute_plugin.settings.schema import SettingsError

    quiet_lm_eval()
    try:
        # A model may take minutes to load.
        asyncio.run(check_openable(settings))
        typer.echo(f"Loading {choice.model}", err=True)
        lm = choice.load()
        assessor = choice.assessor(lm, [rule.method])
        app = proxy_app(lambda: opened_proxy(rule, lm, assessor, settings))
    except (SlmError, SettingsError, LlmError, RuntimeError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(
        f"Model slmroute/{rule.name}: answers of {rule.file.slm} with {rule.method} below "
        f"{rule.threshold:.6g} go to {settings.llm.name}",
        err=True,
    )
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="info",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=30,
    )


def _llm_settings(
    name: str | None, base_url: str | None, further: list[str], stated: PriceList
) -> LlmSettings:
    """Make the LLM's settings from the options.

    Raises:
        typer.BadParameter: an option has a bad value.
    """
    from pydantic import ValidationError

    from slmroute_plugin.cli.assignments import assigned
    from slmroute_plugin.llm.model_price import price_of
    from slmroute_plugin.llm.settings import LlmSettings

    if name is None:
        raise typer.BadParameter("the threshold file names no LLM: name it with --llm.")
    raw = {**_LLM_DEFAULTS, "model": name, "base_url": base_url, **assigned(further, "--llm-set")}
    raw.setdefault("price", price_of(str(raw["model"]), stated))
    try:
        return LlmSettings.model_validate(raw)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        )
        raise typer.BadParameter(faults, param_hint="--llm-set") from None


def _key(variable: str | None) -> str | None:
    """Return the key that clients must send; None if none is asked for.

    Raises:
        typer.BadParameter: the variable is not set.
    """
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise typer.BadParameter(
            f"the environment variable {variable} is not set.", param_hint="--api-key-env"
        )
    return key


def _check_budget(llm: LlmSettings, share: float, budget_usd: float | None) -> None:
    """Refuse a budget that cannot be kept.

    Raises:
        typer.BadParameter: the LLM's price is not known.
    """
    if share and budget_usd is not None and llm.cost_usd(1, 1) is None:
        raise typer.BadParameter(
            f"the budget cannot be kept, because the price of {llm.name} is not known: state it "
            "with --prices, or leave the budget out",
            param_hint="--shadow-budget-usd",
        )


def _check_address(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on.

    Raises:
        typer.BadParameter: the host is not known, or the port is in use.
    """
    from slmroute_plugin.serving.address import AddressError, check_address

    try:
        check_address(host, port)
    except AddressError as error:
        raise typer.BadParameter(str(error), param_hint="--host, --port") from None


def _check_rule(name: str) -> None:
    """Refuse a scoring rule that does not exist.

    Raises:
        typer.BadParameter: there is no such rule.
    """
    from slmroute_plugin.scoring import rule

    if not name:
        return
    try:
        rule(name)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--compare-by") from None
