"""``stomp-tx completion``: the Tab key in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command(short_help="Print what a shell needs to complete this command's words.")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script by which a shell completes the commands and options of this program.

    \b
    examples:
      stomp-tx completion bash
          for now: eval "$(stomp-tx completion bash)"; for good: that line in ~/.bashrc
      stomp-tx completion zsh
          for now: eval "$(stomp-tx completion zsh)"; for good: that line in ~/.zshrc
      stomp-tx completion fish
          for good: stomp-tx completion fish > ~/.config/fish/completions/stomp-tx.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    program = context.find_root().command
    print(kind(program, {}, "stomp-tx", "_STOMP_TX_COMPLETE").source())
