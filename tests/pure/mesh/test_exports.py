"""Who sees what: in every spelling of the annotation, and what the mesh config says for objects that say nothing."""

import pytest

from canary_operator.mesh.config import MeshConfig, config_of
from canary_operator.mesh.exports import covers, of_service, reaches


@pytest.mark.parametrize(
    ("annotation", "default", "exports"),
    [
        pytest.param(None, ("*",), ("*",), id="nobody says anything"),
        pytest.param(None, (".",), (".",), id="as the mesh config says"),
        pytest.param("", ("web",), ("web",), id="an empty annotation says nothing"),
        pytest.param("*", (".",), ("*",), id="the annotation comes first"),
        pytest.param(" web , shop", ("*",), (".", "web"), id="blanks, and its own namespace by name"),
        pytest.param(".,shop,web,web", ("*",), (".", "web"), id="each once, or Istio refuses it"),
        pytest.param("web,*", ("*",), ("*",), id="everybody stands alone, or Istio refuses it"),
        pytest.param("~", ("*",), ("~",), id="nobody"),
        pytest.param("~,web", ("*",), ("~",), id="nobody, whoever else is named"),
    ],
)
def test_whom_a_service_is_exported_to(annotation: str | None, default: tuple[str, ...], exports: tuple[str, ...]) -> None:
    annotations = {} if annotation is None else {"annotations": {"networking.istio.io/exportTo": annotation}}
    assert of_service({"metadata": {"name": "reviews", "namespace": "shop", **annotations}}, default) == exports


@pytest.mark.parametrize(
    ("wide", "narrow", "whether"),
    [
        (("*",), ("*",), True),
        (("*",), (".",), True),
        ((".",), ("*",), False),
        ((".", "web"), ("web",), True),
        (("web",), (".",), False),
        (("web",), ("~",), True),
    ],
)
def test_covers(wide: tuple[str, ...], narrow: tuple[str, ...], whether: bool) -> None:
    assert covers(wide, narrow) is whether


def test_reaches() -> None:
    assert reaches(("*",), "shop", "web") and reaches((".",), "shop", "shop") and reaches(("web",), "shop", "web")
    assert not reaches((".",), "shop", "web") and not reaches(("web",), "shop", "shop")


def test_mesh_config() -> None:
    assert config_of({}) == MeshConfig()
    fields = {"defaultServiceExportTo": ["."], "defaultVirtualServiceExportTo": [".", "web"], "defaultDestinationRuleExportTo": []}
    assert config_of(fields) == MeshConfig(services=(".",), virtual_services=(".", "web"))
    assert config_of({"defaultServiceExportTo": "all", "defaultVirtualServiceExportTo": [1]}) == MeshConfig()
