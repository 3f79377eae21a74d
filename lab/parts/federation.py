"""A Prometheus above another one, as Istio recommends for production: it federates, and renames what recording rules have summed up."""

from pathlib import Path

from lab.parts.prometheus import Prometheus


class Federation(Prometheus):
    """Scrapes no proxy.

    Source: istio.io, "Observability best practices", federation using workload-level aggregated metrics; Prometheus, "Federation".
    """

    def __init__(self, directory: Path, scrape: str, *, number: int, below: Prometheus, prefix: str = "") -> None:
        """The part, not started yet.

        Args:
            directory: The lab's.
            scrape: How often it federates, e.g. "5s".
            number: Not another Prometheus' of this lab.
            below: What it federates.
            prefix: Of the names that are federated, such as "workload:"; it is taken off. Empty: counters as they were scraped.
        """
        super().__init__(directory, scrape, number=number)
        self._below, self._prefix = below, prefix

    def _scrape_configs(self) -> list[dict[str, object]]:
        return [
            {
                "job_name": "federation",
                "honor_labels": True,
                "metrics_path": "/federate",
                "params": {"match[]": [f'{{__name__=~"{self._prefix}istio_.*"}}']},
                "static_configs": [{"targets": [self._below.url.removeprefix("http://")]}],
                "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": f"{self._prefix}(.*)", "target_label": "__name__"}],
            }
        ]
