"""`canary-operator`: reads the command line, and leaves with an exit code that says what to mend."""

import sys

import click

from canary_operator import __version__
from canary_operator.cli.simulate import simulate
from canary_operator.settings import SettingsError, assemble

WRONG_CONFIGURATION = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="canary-operator")
def main() -> None:
    """Moves live traffic to a new version step by step, and back when it fails."""


@main.command()
@click.option("--config", metavar="FILE", help="Configuration file (YAML).")
@click.option("--kubeconfig", metavar="FILE", help="Cluster to work in; the pod's service account when left out.")
@click.option("--namespace", "namespaces", metavar="NS", multiple=True, help="Watch this namespace only; may be given several times.")
@click.option("--prometheus", metavar="URL", help="Address of the provider `default`.")
@click.option("--verbose", is_flag=True, help="Also log passes that changed nothing.")
def run(config: str | None, kubeconfig: str | None, namespaces: tuple[str, ...], prometheus: str | None, verbose: bool) -> None:
    """Run the operator until SIGTERM or SIGINT.

    Exit codes: 2 wrong configuration, 3 something is missing in the cluster; the last line says what.
    """
    try:
        settings = assemble(config, kubeconfig=kubeconfig, namespaces=namespaces, prometheus=prometheus)
    except SettingsError as error:
        click.echo(f"canary-operator: {error}", err=True)
        sys.exit(WRONG_CONFIGURATION)
    from canary_operator.cli.run import start  # heavy, and of no use for --help or a wrong configuration

    sys.exit(start(settings, verbose=verbose))


main.add_command(simulate)


if __name__ == "__main__":
    main()
