"""How good two sides are on the same people, and how far apart: every measure is one value per person, so that means,
standard errors and those of the paired difference come from the same few lines.

A measure of all people together, such as the area under a ROC curve, has a value per person too: its jackknife
pseudo-value, n times the measure of all less n − 1 times that of all but this person (Quenouille 1956).
"""
import numpy as np
from scipy.stats import rankdata


def dice(prediction: np.ndarray, truth: np.ndarray) -> float | None:
    """None where the truth has none of it."""
    if not truth.any():
        return None
    return 2 * float((prediction & truth).sum()) / float(prediction.sum() + truth.sum())


def roc_auc(scores: np.ndarray, positive: np.ndarray) -> float:
    ranks, count = rankdata(scores), positive.sum()
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(positive) - count)))


def pseudo_values(measure, scores: np.ndarray, positive: np.ndarray, people: np.ndarray) -> dict[str, float]:
    names = np.unique(people)
    whole = measure(scores, positive)
    rest = [measure(scores[people != name], positive[people != name]) for name in names]
    return {str(name): len(names) * whole - (len(names) - 1) * part for name, part in zip(names, rest)}


def standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / len(values) ** 0.5)


def compared(ours: dict[str, float], theirs: dict[str, float], folds: dict[str, int]) -> dict:
    """
    - ours, theirs: by person, of the same people.
    - folds: of every person; each fold is a training of its own.
    """
    assert ours.keys() == theirs.keys()
    people = sorted(ours)
    a, b = (np.array([values[person] for person in people]) for values in (ours, theirs))
    fold = np.array([folds[person] for person in people])
    if len(people) < 2:
        # One person has no spread to judge by.
        return {
            "people": len(people), "qsmflow": float(a.mean()) if people else None, "pytorch": float(b.mean()) if people else None,
            "agrees": None}
    by_fold = np.array([(a - b)[fold == number].mean() for number in np.unique(fold)])
    errors = standard_error(a), standard_error(b)
    difference = float((a - b).mean())
    return {
        "people": len(people), "qsmflow": a.mean(), "qsmflow_se": errors[0], "pytorch": b.mean(), "pytorch_se": errors[1],
        "difference": difference, "difference_se": standard_error(a - b),
        "difference_se_over_folds": standard_error(by_fold) if len(by_fold) > 1 else None,
        # Within the smaller of the standard errors of the two means.
        "agrees": abs(difference) <= min(errors)}
