"""The folder of a run: a checkpoint from which it goes on exactly, its draws, scores and pictures."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from softdraw.files import atomic
from softdraw.molecules.report.pictures import molecule_picture
from softdraw.molecules.scoring.scores import score

from .graphs import Molecules
from .training import Game

CHECKPOINT, SCORES, DRAWN, PICTURES = "checkpoint.safetensors", "scores.json", "drawn.smi", "drawn.html"
SHOWN = 60


def save_game(folder: Path, game: Game, spent: dict[str, float]) -> None:
    """Write the state of a game, beside and then renamed; ``spent`` is kept with it."""
    tensors: dict[str, Tensor] = {"scores_of_data": game.scores_of_data}
    for name in ("generator", "average", "critic"):
        tensors |= {f"{name}.{key}": value for key, value in getattr(game, name).state_dict().items()}
    for number, optimizer in enumerate(game.optimizers):
        for place, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer{number}.{place}.{key}": value for key, value in state.items()}
    about = {"settings": asdict(game.settings), "vocabulary": game.layout.vocabulary.to_json()}
    about |= {"steps": game.steps, "spent": spent, "tau": game.tau.step_count}
    with atomic(folder / CHECKPOINT) as file:
        file.write(save({k: v.contiguous() for k, v in tensors.items()}, {"game": json.dumps(about)}))


def load_game(folder: Path, game: Game) -> dict[str, float]:
    """Bring a game to the state of the checkpoint, and return what was spent.

    Raises:
        ValueError: the checkpoint is of other settings or other atom types.
    """
    with safe_open(folder / CHECKPOINT, "pt") as file:
        about = json.loads(file.metadata()["game"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    mine = {"settings": asdict(game.settings), "vocabulary": game.layout.vocabulary.to_json()}
    other = [name for name, value in mine.items() if about[name] != value]
    if other:
        raise ValueError(f"{folder / CHECKPOINT}: other {' and '.join(other)} than now: {about[other[0]]}")
    for name in ("generator", "average", "critic"):
        getattr(game, name).load_state_dict(_under(name, tensors))
    for number, optimizer in enumerate(game.optimizers):
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in _under(f"optimizer{number}", tensors).items():
            place, what = key.split(".")
            states.setdefault(int(place), {})[what] = value
        optimizer.load_state_dict(optimizer.state_dict() | {"state": states})
    game.scores_of_data, game.steps = tensors["scores_of_data"], about["steps"]
    game.tau.step(about["tau"] - game.tau.step_count)
    return about["spent"]


def _under(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")
    }


def shares(smiles: Sequence[str]) -> tuple[float, float]:
    """Valid draws, and different valid molecules, as shares of all draws."""
    valid = [one for one in smiles if one]
    return len(valid) / len(smiles), len(set(valid)) / len(smiles)


def write_results(
    folder: Path, molecules: Molecules, smiles: list[str], about: dict[str, Any]
) -> dict[str, Any]:
    """Score what was drawn, and write scores, molecules and pictures."""
    places = torch.randperm(len(molecules.smiles), generator=torch.Generator().manual_seed(0))[:10_000]
    reference = [molecules.smiles[i] for i in places.tolist()]
    scores = score(smiles, train=molecules.smiles, reference=reference, fcd=False).to_dict()
    valid, different = shares(smiles)
    result = {"valid": valid, "valid_times_unique": different, **about, "scores": scores}
    write(folder / SCORES, json.dumps(result, indent=1) + "\n")
    write(folder / DRAWN, "".join(f"{one}\n" for one in smiles))
    write(folder / PICTURES, page(smiles[:SHOWN], f"{valid:.1%} valid, {different:.1%} valid and different"))
    return result


def page(smiles: Sequence[str], title: str) -> str:
    """One HTML file with a picture of every draw, invalid ones as an empty frame."""
    frames = []
    for one in smiles:
        picture = molecule_picture(one)
        inner = f'<img alt="{escape(one)}" src="{picture}">' if picture else "no molecule"
        frames.append(f"<figure>{inner}</figure>")
    style = "body{font:15px sans-serif}main{display:flex;flex-wrap:wrap;gap:4px}"
    style += "figure{margin:0;width:190px;height:140px;border:1px solid #ccc}"
    head = f'<!doctype html><meta charset="utf-8"><title>{escape(title)}</title><style>{style}</style>'
    return f"{head}<h1>{escape(title)}</h1><main>{''.join(frames)}</main>\n"


def write(path: str | os.PathLike[str], text: str) -> None:
    with atomic(path) as file:
        file.write(text.encode())
