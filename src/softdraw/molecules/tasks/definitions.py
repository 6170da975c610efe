"""Each task in a line or a few: what it scores, and which suites it belongs to.

Reference:
    GuacaMol's goal-directed suite, version 2, and its trivial one: Brown et al. 2019, J. Chem. Inf. Model.
    59, 1096, arXiv:1811.09621; widths and bounds are those of its package, 0.5.5, where the paper has others.
    The names are those of PMO: Gao et al. 2022, arXiv:2206.12411, which takes its scores from the
    Therapeutics Data Commons.
"""

from softdraw.molecules.tasks.modifiers import AtLeast, AtMost, Clipped, Gaussian
from softdraw.molecules.tasks.similarity import Similarity
from softdraw.molecules.tasks.terms import Arithmetic, Formula, Geometric, Holds, Like, Number, Term, Through

__all__ = ["DEFINITIONS"]

CELECOXIB = "CC1=CC=C(C=C1)C1=CC(=NN1C1=CC=C(C=C1)S(N)(=O)=O)C(F)(F)F"
TROGLITAZONE = "Cc1c(C)c2OC(C)(COc3ccc(CC4SC(=O)NC4=O)cc3)CCc2c(C)c1O"
THIOTHIXENE = "CN(C)S(=O)(=O)c1ccc2Sc3ccccc3C(=CCCN4CCN(C)CC4)c2c1"
ARIPIPRAZOLE = "Clc4cccc(N3CCN(CCCCOc2ccc1c(NC(=O)CC1)c2)CC3)c4Cl"
ALBUTEROL = "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1"
MESTRANOL = "COc1ccc2[C@H]3CC[C@@]4(C)[C@@H](CC[C@@]4(O)C#C)[C@@H]3CCc2c1"
CAMPHOR, MENTHOL = "CC1(C)C2CCC1(C)C(=O)C2", "CC(C)C1CCC(C)CC1O"
TADALAFIL = "O=C1N(CC(N2C1CC3=C(C2C4=CC5=C(OCO5)C=C4)NC6=C3C=CC=C6)=O)C"
SILDENAFIL = "CCCC1=NN(C2=C1N=C(NC2=O)C3=C(C=CC(=C3)S(=O)(=O)N4CCN(CC4)C)OCC)C"
OSIMERTINIB = "COc1cc(N(C)CCN(C)C)c(NC(=O)C=C)cc1Nc2nccc(n2)c3cn(C)c4ccccc34"
FEXOFENADINE = "CC(C)(C(=O)O)c1ccc(cc1)C(O)CCCN2CCC(CC2)C(O)(c3ccccc3)c4ccccc4"
RANOLAZINE = "COc1ccccc1OCC(O)CN2CCN(CC(=O)Nc3c(C)cccc3C)CC2"
PERINDOPRIL = "O=C(OCC)C(NC(C(=O)N1C(C(=O)O)CC2CCCCC12)C)CCC"
AMLODIPINE = r"Clc1ccccc1C2C(=C(/N/C(=C2/C(=O)OCC)COCCN)C)\C(=O)OC"
SITAGLIPTIN = "Fc1cc(c(F)cc1F)CC(N)CC(=O)N3Cc2nnc(n2CC3)C(F)(F)F"
ZALEPLON = "O=C(C)N(CC)C1=CC=CC(C2=CC=NC3=C(C=NN23)C#N)=C1"
PIOGLITAZONE = "O=C1NC(=O)SC1Cc3ccc(OCCc2ncc(cc2)CC)cc3"
HOPPED = "CCCOc1cc2ncnc(Nc3ccc4ncsc4c3)c2cc1S(=O)(=O)C(C)(C)C"
"""From which the decorations, or the scaffold, are changed."""
QUINAZOLINE = "[#7]-c1n[c;h1]nc2[c;h1]c(-[#8])[c;h0][c;h1]c12"
"""The scaffold of ``HOPPED``, in SMARTS."""
SITAGLIPTIN_TOO = "NC(CC(=O)N1CCn2c(nnc2C(F)(F)F)C1)Cc1cc(F)c(F)cc1F"
"""An isomer that GuacaMol calls sitagliptin in another task."""


def _sitagliptin(*, of_text: bool = False) -> Geometric:
    return Geometric(
        Through(Similarity(SITAGLIPTIN), Gaussian(0, 0.1)),
        Like("logp", SITAGLIPTIN, 0.2),
        Like("tpsa", SITAGLIPTIN, 5),
        Formula("C16H15F6N5O", of_text),
    )


def _zaleplon(*, of_text: bool = False) -> Geometric:
    return Geometric(Similarity(ZALEPLON), Formula("C19H17N3O2", of_text))


BOTH, GUACAMOL, PMO, BEFORE = "guacamol pmo", "guacamol", "pmo", "pmo-2022"
"""Suites, of which a task may belong to several."""

DEFINITIONS: dict[str, tuple[str, str, Term]] = {
    "celecoxib_rediscovery": (BOTH, "celecoxib itself, by ECFP4", Similarity(CELECOXIB)),
    "troglitazone_rediscovery": (BOTH, "troglitazone itself, by ECFP4", Similarity(TROGLITAZONE)),
    "thiothixene_rediscovery": (BOTH, "thiothixene itself, by ECFP4", Similarity(THIOTHIXENE)),
    "aripiprazole_similarity": (
        GUACAMOL,
        "like aripiprazole, by ECFP4, from 0.75 on alike",
        Through(Similarity(ARIPIPRAZOLE), Clipped(0.75)),
    ),
    "albuterol_similarity": (
        BOTH,
        "like albuterol, by FCFP4, from 0.75 on alike",
        Through(Similarity(ALBUTEROL, "FCFP4"), Clipped(0.75)),
    ),
    "mestranol_similarity": (
        BOTH,
        "like mestranol, by atom pairs, from 0.75 on alike",
        Through(Similarity(MESTRANOL, "AP"), Clipped(0.75)),
    ),
    "isomers_c11h24": (GUACAMOL, "isomers of C11H24", Formula("C11H24")),
    "isomers_c7h8n2o2": (BOTH, "isomers of C7H8N2O2", Formula("C7H8N2O2")),
    "isomers_c9h10n2o2pf2cl": (BOTH, "isomers of C9H10N2O2PF2Cl", Formula("C9H10N2O2PF2Cl")),
    "median1": (
        BOTH,
        "like camphor and menthol at once, by ECFP4",
        Geometric(Similarity(CAMPHOR), Similarity(MENTHOL)),
    ),
    "median2": (
        BOTH,
        "like tadalafil and sildenafil at once, by ECFP6",
        Geometric(Similarity(TADALAFIL, "ECFP6"), Similarity(SILDENAFIL, "ECFP6")),
    ),
    "osimertinib_mpo": (
        BOTH,
        "like osimertinib but not too much, polar surface from 100 Å² on, logP up to 1",
        Geometric(
            Through(Similarity(OSIMERTINIB, "FCFP4"), Clipped(0.8)),
            Through(Similarity(OSIMERTINIB, "ECFP6"), AtMost(0.85, 0.1)),
            Through(Number("tpsa"), AtLeast(100, 10)),
            Through(Number("logp"), AtMost(1, 1)),
        ),
    ),
    "fexofenadine_mpo": (
        BOTH,
        "like fexofenadine, polar surface from 90 Å² on, logP up to 4",
        Geometric(
            Through(Similarity(FEXOFENADINE, "AP"), Clipped(0.8)),
            Through(Number("tpsa"), AtLeast(90, 10)),
            Through(Number("logp"), AtMost(4, 1)),
        ),
    ),
    "ranolazine_mpo": (
        BOTH,
        "like ranolazine, logP from 7 on, polar surface from 95 Å² on, one fluorine",
        Geometric(
            Through(Similarity(RANOLAZINE, "AP"), Clipped(0.7)),
            Through(Number("logp"), AtLeast(7, 1)),
            Through(Number("tpsa"), AtLeast(95, 20)),
            Through(Number("atoms of F"), Gaussian(1, 1)),
        ),
    ),
    "perindopril_mpo": (
        BOTH,
        "like perindopril, with two aromatic rings",
        Geometric(Similarity(PERINDOPRIL), Through(Number("aromatic rings"), Gaussian(2, 0.5))),
    ),
    "amlodipine_mpo": (
        BOTH,
        "like amlodipine, with three rings",
        Geometric(Similarity(AMLODIPINE), Through(Number("rings"), Gaussian(3, 0.5))),
    ),
    "sitagliptin_mpo": (
        BOTH,
        "formula, logP and polar surface of sitagliptin, but another molecule",
        _sitagliptin(),
    ),
    "zaleplon_mpo": (BOTH, "like zaleplon, with the formula C19H17N3O2", _zaleplon()),
    "valsartan_smarts": (
        BOTH,
        "a part of valsartan, with logP, polar surface and complexity of sitagliptin",
        Geometric(
            Holds("CN(C=O)Cc1ccc(c2ccccc2)cc1"),
            Like("logp", SITAGLIPTIN_TOO, 0.2),
            Like("tpsa", SITAGLIPTIN_TOO, 5),
            Like("bertz", SITAGLIPTIN_TOO, 30),
        ),
    ),
    "deco_hop": (
        BOTH,
        "a quinazoline's scaffold kept, its decorations changed",
        Arithmetic(
            Through(Similarity(HOPPED, "PHCO"), Clipped(0.85)),
            Holds("CS([#6])(=O)=O", absent=True),
            Holds("[#7]-c1ccc2ncsc2c1", absent=True),
            Holds(QUINAZOLINE),
        ),
    ),
    "scaffold_hop": (
        BOTH,
        "a quinazoline's decorations kept, its scaffold changed",
        Arithmetic(
            Through(Similarity(HOPPED, "PHCO"), Clipped(0.75)),
            Holds("[#6]-[#6]-[#6]-[#8]-[#6]~[#6]~[#6]~[#6]~[#6]-[#7]-c1ccc2ncsc2c1"),
            Holds(QUINAZOLINE, absent=True),
        ),
    ),
    "qed": (BOTH, "drug-likeness", Number("qed")),
    "logp_-1.0": (GUACAMOL, "a logP of -1", Through(Number("logp"), Gaussian(-1, 1))),
    "logp_2.5": (GUACAMOL, "a logP of 2.5", Through(Number("logp"), Gaussian(2.5, 1))),
    "logp_8.0": (GUACAMOL, "a logP of 8", Through(Number("logp"), Gaussian(8, 1))),
    "tpsa_150": (GUACAMOL, "a polar surface of 150 Å²", Through(Number("tpsa"), Gaussian(150, 20))),
    "cns_mpo": (
        GUACAMOL,
        "small, neither polar nor greasy, without donors of hydrogen bonds",
        Arithmetic(
            Through(Number("tpsa"), AtMost(90, 30)),
            Through(Number("tpsa"), AtLeast(40, 20)),
            Through(Number("donors"), AtMost(0, 2)),
            Through(Number("logp"), AtMost(5, 1)),
            Through(Number("weight"), AtMost(360, 60)),
        ),
    ),
    "pioglitazone_mpo": (
        GUACAMOL,
        "unlike pioglitazone, of its weight, with two rotatable bonds",
        Geometric(
            Through(Similarity(PIOGLITAZONE), Gaussian(0, 0.1)),
            Like("weight", PIOGLITAZONE, 10),
            Through(Number("rotatable bonds"), Gaussian(2, 0.5)),
        ),
    ),
    "isomers_c7h8n2o2_prev": (BEFORE, "isomers_c7h8n2o2 as PMO's table has it", Formula("C7H8N2O2", True)),
    "isomers_c9h10n2o2pf2cl_prev": (
        BEFORE,
        "isomers_c9h10n2o2pf2cl as PMO's table has it",
        Formula("C9H10N2O2PF2Cl", True),
    ),
    "sitagliptin_mpo_prev": (BEFORE, "sitagliptin_mpo as PMO's table has it", _sitagliptin(of_text=True)),
    "zaleplon_mpo_prev": (BEFORE, "zaleplon_mpo as PMO's table has it", _zaleplon(of_text=True)),
}
"""By name, the suites, what is asked for in a line, and the score. PMO's table of 2022 is of PyTDC 0.3.6,
whose formulas counted the atoms of the SMILES' text: these four tasks have names of their own."""
