"""The game: the critic tells data from draws, the generator is paid for draws that pass for data."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import Adam

import softdraw as sd

from .critic import Critic
from .generator import Generator, gaussian
from .graphs import Molecules

PARTS = 1000  # of the budget: what the temperature counts
TEMPERATURES = {"gumbel-softmax": (1.0, 0.3), "st-gumbel-softmax": (1.0, 0.7), "reinmax": (1.2, 1.0)}


@dataclass(frozen=True)
class Settings:
    estimator: str = "reinmax"
    seed: int = 0
    batch: int = 128
    pack: int = 1
    samples: int = 4  # draws of a z for estimators of the score function; the batch holds so many fewer z
    generator_rate: float = 2e-4
    critic_rate: float = 2e-3  # ten times the generator's: a critic that lags behind is what collapses
    slope_of_data: float = 0.01  # price of the critic's squared slope at data (R1, Mescheder et al. 2018)
    slope_of_draws: float = 0.01  # and at draws (R2)
    every: int = 4  # steps between two of these penalties
    code: float = 0.0  # price of the squared error of z as guessed from the graph
    entropy: float = 0.0  # price of a nat of entropy of the draws of a z, in the end; it grows from 0
    spread: float = 1.0
    average: float = 0.998  # of the generator from which molecules are drawn


class Game:
    """Both players, their optimisers and the average generator, from which molecules are drawn.

    A step is a function of the seed, the number of the step and the state.
    """

    def __init__(self, molecules: Molecules, settings: Settings) -> None:
        self.molecules, self.settings, self.layout = molecules, settings, molecules.layout
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            self.generator, self.average = (Generator(self.layout, settings.spread) for _ in range(2))
            self.critic = Critic(self.layout, settings.pack)
        self.average.load_state_dict(self.generator.state_dict())
        self.average.requires_grad_(False)
        self.estimator = sd.estimators.get(settings.estimator)
        self.draws = 1
        if not isinstance(self.estimator, sd.estimators.TensorEstimator):
            self.draws = settings.samples
            self.estimator = sd.estimators.get(settings.estimator, samples=self.draws)
        self.tempered = self.estimator.default_tau is not None
        start, floor = TEMPERATURES.get(settings.estimator, (1.0, 1.0))
        rate = math.log(start / floor) / (0.9 * PARTS)
        self.tau = sd.schedules.Exponential(start, floor, rate)
        self.optimizers = [
            Adam(player.parameters(), rate, betas=(0.0, 0.99), fused=True) for player, rate in self.players()
        ]
        self.packs = settings.batch // settings.pack  # in a batch of the critic
        self.scores_of_data = torch.zeros(self.packs)  # in the last step
        self.steps = 0

    def players(self) -> list[tuple[nn.Module, float]]:
        return [
            (self.generator, self.settings.generator_rate),
            (self.critic, self.settings.critic_rate),
        ]

    def step(self, progress: float) -> dict[str, float]:
        """One step of both players; ``progress`` is the share of the budget that is used, 0 to 1."""
        key = sd.Key(self.settings.seed).fold_in(self.steps)
        self.tau.step(max(0, int(progress * PARTS) - self.tau.step_count))
        slower = min(1.0, max(0.05, 4.0 * (1.0 - progress)))  # rates fall over the last quarter
        for optimizer, (_, rate) in zip(self.optimizers, self.players(), strict=True):
            optimizer.param_groups[0]["lr"] = slower * rate
        z, fake, figures = self.learn_to_draw(key, progress)
        figures |= self.learn_to_tell(key, z, fake)
        self.steps += 1
        weight = min(self.settings.average, (self.steps + 1) / (self.steps + 10))
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.generator.parameters(), strict=True)
            for mean, now in pairs:
                mean.lerp_(now, 1.0 - weight)
        return figures

    def learn_to_draw(self, key: sd.Key, progress: float) -> tuple[Tensor, Tensor, dict[str, float]]:
        """A step of the generator. Returns z ``[packs, pack, latent]`` and what was drawn from it."""
        packs, drawn = self.packs // self.draws, []
        z = gaussian(packs * self.settings.pack, self.generator.latent, key.fold_in(0))
        logits = self.generator(z).view(packs, -1, self.layout.classes)
        z = z.view(packs, self.settings.pack, -1)

        def cost(draws: Tensor) -> Tensor:  # [samples, packs, pack * places, C] to [samples, packs]
            drawn.append(draws.detach())
            score, code = self.critic(draws)
            return softplus(self.scores_of_data[:packs] - score) + self.settings.code * guess_error(code, z)

        options = {"tau": self.tau.tau} if self.tempered else {}
        mask = self.layout.mask.repeat(self.settings.pack, 1)
        self.critic.requires_grad_(False)
        loss = self.estimator.expectation(cost, logits, mask=mask, key=key.fold_in(1), **options).mean()
        if self.settings.entropy:
            law = logits.masked_fill(~mask, -1e4).log_softmax(-1)
            entropy = -(law.exp() * law).sum((1, 2)).mean() / self.settings.pack
            loss = loss + progress * self.settings.entropy * entropy
        self.optimizers[0].zero_grad()
        loss.backward()
        self.optimizers[0].step()
        self.critic.requires_grad_(True)
        return (
            z.expand(self.draws, -1, -1, -1).flatten(0, 1),
            drawn[0].flatten(0, 1),
            {"generator": loss.item()},
        )

    def learn_to_tell(self, key: sd.Key, z: Tensor, fake: Tensor) -> dict[str, float]:
        """A step of the critic: relativistic pairs (Jolicoeur-Martineau 2019), slopes at both penalised."""
        noise = torch.Generator().manual_seed(key.fold_in(2).seed % 2**63)
        chosen = torch.randint(len(self.molecules.rows), (self.settings.batch,), generator=noise)
        real = self.layout.hot(self.molecules.rows[chosen]).view(self.packs, -1, self.layout.classes)
        both = torch.cat([real, fake])
        penalised = self.steps % self.settings.every == 0
        both.requires_grad_(penalised)
        scores, code = self.critic(both)
        of_data, of_draws = scores.chunk(2)
        loss = softplus(of_draws - of_data).mean()
        figures = {"critic": loss.item()}
        loss = loss + self.settings.code * guess_error(code[self.packs :], z).mean()
        if penalised:
            (slopes,) = torch.autograd.grad(scores.sum(), both, create_graph=True)
            data, draws = (part.square().sum((1, 2)).mean() / self.settings.pack for part in slopes.chunk(2))
            penalty = self.settings.slope_of_data * data + self.settings.slope_of_draws * draws
            loss = loss + 0.5 * self.settings.every * penalty
        self.optimizers[1].zero_grad()
        loss.backward()
        self.optimizers[1].step()
        self.scores_of_data = of_data.detach()
        return figures


def guess_error(code: Tensor, z: Tensor) -> Tensor:
    """How far the guessed entries of z are off, ``[*batch]``, mean square."""
    return (code - z[..., : code.shape[-1]]).square().mean((-1, -2))
