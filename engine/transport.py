"""Where an Engine's work is done: in this process, or by a running engine. Both give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from engine import forecast
from engine.client import options as declared
from engine.client.errors import OptionError
from engine.forecast import Forecast, Size
from engine.tasks import frames, noted
from engine.tasks.base import Picture, Progress, Reporter, TaskResult

if TYPE_CHECKING:
    from engine.client.session import Session


class Transport(Protocol):
    """Where the work is done."""

    def run(
        self,
        task: str,
        source: Picture | None,
        options: Mapping[str, Any],
        extras: Mapping[str, Picture],
        reporter: Reporter,
    ) -> TaskResult: ...

    def forecast(self, task: str, size: Size, options: Mapping[str, Any]) -> Forecast | None: ...

    def models(self) -> list[dict[str, Any]]: ...

    def close(self) -> None: ...


class InProcess:
    def __init__(self, device: str | None) -> None:
        import torch

        from engine.store.cache import ModelCache

        try:
            self.cache = ModelCache(device=device)
            self._warm: set[tuple[str, str]] = set()
            torch.empty(1, device=self.cache.device)
        except (RuntimeError, AssertionError) as error:  # the second: torch was built without that device
            if not device:
                raise
            sentence = f"The device {device} cannot be used: {str(error).splitlines()[0]}"
            raise OptionError(
                sentence[:500], "Name another device, or none: then the best one there is works."
            ) from None

    def run(
        self,
        task: str,
        source: Picture | None,
        options: Mapping[str, Any],
        extras: Mapping[str, Picture],
        reporter: Reporter,
    ) -> TaskResult:
        network = (task, str(options.get("generator", "auto")))
        cold = network not in self._warm
        result = noted.run(task, source, options, self.cache, reporter, cold=cold, began=0.0, **extras)
        self._warm.add(network)
        return result

    def forecast(self, task: str, size: Size, options: Mapping[str, Any]) -> Forecast | None:
        network = (task, str(options.get("generator", "auto")))
        device = self.cache.device_name
        if forecast.predict(task, size, options, device) is None:
            small, kept = noted.first(task, options)
            for _ in range(2):  # the first run of a network pays for more than the second
                self.run(task, small, kept, {}, Reporter())
        return forecast.predict(task, size, options, device, cold=network not in self._warm, started=True)

    def models(self) -> list[dict[str, Any]]:
        from engine.store import models

        return [entry.to_dict() for entry in models.available()]

    def close(self) -> None:
        self.cache.clear()


class Service:
    def __init__(self, session: Session) -> None:
        self.session = session

    def run(
        self,
        task: str,
        source: Picture | None,
        options: Mapping[str, Any],
        extras: Mapping[str, Picture],
        reporter: Reporter,
    ) -> TaskResult:
        given = extras if source is None else {"source": source, **extras}
        buffers = {name: frames.to_pixels(picture) for name, picture in given.items()}
        job = self.session.submit(task, _plain(task, options), buffers)

        def tell(p: Any) -> None:
            reporter.on_progress(Progress(p.phase, p.step, p.steps, p.fraction, p.eta))

        pictures = [frames.to_picture(pixels) for pixels in job.wait(tell, 0.05, reporter.cancelled)]
        if source is not None:
            for picture in pictures:
                picture.exif, picture.xmp = source.exif, source.xmp
        return TaskResult(pictures, dict(job.info))

    def forecast(self, task: str, size: Size, options: Mapping[str, Any]) -> Forecast | None:
        plain = _plain(task, options)
        answer = self.session.forecast(task, plain, size.width, size.height, size.pixel)
        if answer["seconds"] is None:
            small, kept = noted.first(task, options)
            for _ in range(2):
                self.run(task, small, kept, {}, Reporter())
            answer = self.session.forecast(task, plain, size.width, size.height, size.pixel)
        if answer["seconds"] is None:
            return None
        return Forecast(answer["seconds"], answer["bytes"] or 0, dict(answer["phases"]), answer["jobs"])

    def models(self) -> list[dict[str, Any]]:
        return list(self.session.list_models())

    def close(self) -> None:
        self.session.close()


def _plain(task: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options in Python's own types, which JSON can hold. Raises OptionError and TaskUnknown."""
    values = declared.task(task).complete(options)
    return {name: values[name] for name in options}
