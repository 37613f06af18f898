"""A proxy with its two models, opened for as long as it serves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmroute_plugin.llm.settings import LlmSettings
from slmroute_plugin.serving.batch_loop import batch_loop, batch_size
from slmroute_plugin.serving.chat_request import Defaults
from slmroute_plugin.serving.connected_slm import connected_slm
from slmroute_plugin.serving.metrics import Metrics
from slmroute_plugin.serving.proxy import Proxy, ProxyLimits
from slmroute_plugin.serving.router import Router
from slmroute_plugin.serving.shadow import Shadow, ShadowSettings, same_answer
from slmroute_plugin.serving.slm_service import SlmService
from slmroute_plugin.serving.threshold_rule import ThresholdRule
from slmroute_plugin.serving.upstream import llm_upstream
from slmroute_plugin.signals import Signal
from slmroute_plugin.storage.decision_log import DecisionLog

if TYPE_CHECKING:
    from slmroute_plugin.harness import LM
    from slmroute_plugin.run.assessor import Assessor


@dataclass(frozen=True)
class ProxySettings:
    """The settings of a proxy.

    Attributes:
        llm: The LLM.
        defaults: What holds where a request does not say.
        limits: What the proxy takes on.
        shadow: The share of kept requests that goes to the LLM too.
        log: The file of decisions; None for none.
        log_text: Whether it holds the texts.
        same_by: The scoring rule by which shadow pairs are compared; "" to compare words.
        slm_timeout_s: The seconds after which the SLM's answer is given up.
        most_waiting: The questions that may wait for an SLM in this process.
        facts: Further facts about the SLM, for the log.
    """

    llm: LlmSettings
    defaults: Defaults
    limits: ProxyLimits = field(default_factory=ProxyLimits)
    shadow: ShadowSettings = field(default_factory=ShadowSettings)
    log: Path | None = None
    log_text: bool = False
    same_by: str = ""
    slm_timeout_s: float = 30.0
    most_waiting: int = 64
    facts: Mapping[str, Any] = field(default_factory=dict)


async def check_openable(settings: ProxySettings) -> None:
    """Open the log and the LLM's client and close them again, before the SLM is loaded.

    Raises:
        LlmError: If there is no key for the LLM where one is needed, or its cache cannot be used.
        OSError: If the log cannot be opened.
    """
    DecisionLog(settings.log).close()
    async with llm_upstream(settings.llm, Path()):
        pass


@asynccontextmanager
async def opened_proxy(
    rule: ThresholdRule, lm: LM, assessor: Assessor, settings: ProxySettings
) -> AsyncIterator[Proxy]:
    """Open the models and the log for the time of the block.

    Raises:
        LlmError: If there is no key for the LLM where one is needed.
        OSError: If the log cannot be opened.
    """
    async with AsyncExitStack() as stack:
        log = DecisionLog(settings.log)
        stack.callback(log.close)
        metrics = Metrics()
        llm = await stack.enter_async_context(llm_upstream(settings.llm, Path()))
        of_prompt = assessor.prompt_signals(rule.method)
        service = _slm_service(lm, assessor, settings.most_waiting, of_prompt or frozenset())
        slm = await stack.enter_async_context(service)
        same = same_answer(settings.same_by)
        shadow = Shadow(settings.shadow, llm, log, metrics, same, settings.log_text)
        stack.push_async_callback(shadow.close)
        before = of_prompt is not None
        router = Router(
            rule, slm, llm, log, metrics, shadow, settings.slm_timeout_s, before, settings.log_text
        )
        log.write(
            "start",
            slmroute=version("slmroute"),
            name=rule.name,
            threshold=str(rule.threshold),
            method=rule.method,
            slm=rule.file.slm,
            llm=llm.name,
            **settings.facts,
        )
        yield Proxy(router, settings.defaults, settings.limits, rule.file.slm)


@asynccontextmanager
async def _slm_service(
    lm: LM, assessor: Assessor, most_waiting: int, of_prompt: frozenset[Signal[Any]]
) -> AsyncIterator[SlmService]:
    """Serve the SLM by the way of its backend: on a connection, or in a batch loop."""
    from slmroute_plugin.backends.openai_compatible.backend import OpenAiCompatibleBackend

    if isinstance(assessor.backend, OpenAiCompatibleBackend):
        async with connected_slm(assessor, assessor.backend, of_prompt) as connected:
            yield connected
    else:
        async with batch_loop(assessor, batch_size(lm), most_waiting, of_prompt) as loop:
            yield loop
