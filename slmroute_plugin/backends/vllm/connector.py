"""The connector that vLLM loads to hand out hidden states; no other module may import it.

vLLM finds it by the `kv_transfer_config` that `slmroute vllm-args` prints. vLLM's own connector
writes the states of every token of every request, and works on CUDA devices alone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorRole
from vllm.distributed.kv_transfer.kv_connector.v1.example_hidden_states_connector import (
    ExampleHiddenStatesConnector,
)
from vllm.v1.request import RequestStatus

from slmroute_plugin.backends.extracted_states.transfer import FROM_TOKEN, StatesEngine


class HiddenStatesConnector(ExampleHiddenStatesConnector):  # type: ignore[misc]
    """vLLM's connector, for those requests alone that ask for states, and on CPUs too.

    Each engine writes to a folder of its own within `shared_storage_path`.
    """

    _storage_path: str

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._own_folder: str | None = None
        self._told = _engine(self._vllm_config).as_parameters()
        # The scheduler's instance names the files, the workers' instances write them.
        if self.role is KVConnectorRole.SCHEDULER:
            shared = Path(self._storage_path)
            shared.mkdir(parents=True, exist_ok=True)
            # Requests are numbered anew by each engine.
            self._own_folder = tempfile.mkdtemp(prefix="engine-", dir=shared)
            self._storage_path = self._own_folder

    def build_connector_meta(self, scheduler_output: Any) -> Any:
        """Return what the worker is to do in the next pass."""
        meta = super().build_connector_meta(scheduler_output)
        for request in scheduler_output.scheduled_new_reqs:
            if _first_token(request.sampling_params) is None:
                # Without a file name, nothing is written for it.
                meta.new_req_filenames.pop(request.req_id, None)
                self._request_filenames.pop(request.req_id, None)
        return meta

    def request_finished(self, request: Any, block_ids: list[int]) -> Any:
        """Have the states of a finished request written, from the block of its first token on.

        The request's output names the file and says what the engine is. Nobody is told of the
        file of a request that was called off.
        """
        if request.status is RequestStatus.FINISHED_ABORTED:
            self._request_filenames.pop(request.request_id, None)
        delayed, told = super().request_finished(request, block_ids)
        pending = self._pending_saves.get(request.request_id)
        first = _first_token(request.sampling_params)
        if pending is not None and first:
            blocks = min(first, len(pending.token_ids) - 1) // self._block_size
            pending.block_ids = pending.block_ids[blocks:]
            pending.token_ids = pending.token_ids[blocks * self._block_size :].clone()
        return delayed, told and told | self._told

    def _submit_async_write(self, pending: Any) -> None:
        """Write the states of a request: on CUDA devices by vLLM's own code, on CPUs at once."""
        cache = self._kv_cache
        if cache is None or cache.device.type != "cpu":
            super()._submit_async_write(pending)
            return
        size = self._block_size
        blocks = torch.tensor(pending.block_ids, dtype=torch.long)
        places = (blocks[:, None] * size + torch.arange(size)).flatten()[: len(pending.token_ids)]
        states = cache[places // size, :, places % size].contiguous()
        lock = self._lock_fds.pop(pending.req_id, None)
        try:
            save_file({"hidden_states": states, "token_ids": pending.token_ids}, pending.filename)
        finally:
            if lock is not None:
                os.close(lock)
        self._req_copy_events[pending.req_id] = _Written()

    def shutdown(self) -> None:
        """Remove the engine's folder, and with it the lock files of requests called off."""
        super().shutdown()
        if self._own_folder is not None:
            shutil.rmtree(self._own_folder, ignore_errors=True)


class _Written:
    """Stands in for the CUDA event of a copy that is done."""

    def query(self) -> bool:
        return True


def _engine(config: Any) -> StatesEngine:
    model = config.model_config
    draft = config.speculative_config.draft_model_config.hf_config
    return StatesEngine(
        layers=tuple(draft.eagle_aux_hidden_state_layer_ids),
        depth=int(model.hf_config.get_text_config().num_hidden_layers),
        model=str(model.model),
        revision=model.revision,
        is_cpu=config.device_config.device_type == "cpu",
    )


def _first_token(params: Any) -> int | None:
    wanted = (getattr(params, "extra_args", None) or {}).get("kv_transfer_params") or {}
    first: int | None = wanted.get(FROM_TOKEN)
    return first
