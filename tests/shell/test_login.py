"""Credentials that change while the operator runs."""

import asyncio
from pathlib import Path

import pytest

from canary_operator.clients.errors import Unauthorized
from canary_operator.clients.kinds import CANARY_RELEASE
from canary_operator.clients.kubernetes import Cluster
from canary_operator.clients.login import DISTRUST, api_client, bearer, distrust, log_in
from tests.shell.api_server import ApiServer, serving


async def test_refused_credentials_are_read_again_a_moment_later(tmp_path: Path) -> None:
    server = ApiServer()
    async with serving(server, tmp_path) as kubeconfig:
        cluster = Cluster(api_client(await log_in(str(kubeconfig))))
        await cluster.find(CANARY_RELEASE, None, None)
        server.token = "second"
        (tmp_path / "token").write_text("second")
        with pytest.raises(Unauthorized):
            await cluster.find(CANARY_RELEASE, None, None)
        await asyncio.sleep(DISTRUST + 0.1)
        await cluster.find(CANARY_RELEASE, None, None)
        await cluster.close()


async def test_what_cannot_be_read_leaves_the_credentials_alone(tmp_path: Path) -> None:
    async with serving(ApiServer(), tmp_path) as kubeconfig:
        configuration = await log_in(str(kubeconfig))
        kubeconfig.write_text("")
        distrust(configuration)
        await asyncio.sleep(DISTRUST + 0.1)
        assert await bearer(configuration) == "Bearer first"
