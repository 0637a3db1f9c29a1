"""How good two sides are on the same people, and how far apart: every measure is one value per person, so that means,
standard errors and those of the paired difference come from the same few lines.

A measure of all people together, such as the area under a ROC curve, has a value per person too: its jackknife
pseudo-value, n times the measure of all less n − 1 times that of all but this person (Quenouille 1956).

One side is trained several times, with other roundings: how far its trainings lie apart is what rounding alone makes, and
the other side, which rounds differently too, may be as far from their mean.
"""
import numpy as np
from scipy.stats import rankdata, t


# Of Dice, areas under curves and shares: what is nearer needs no other reason.
MARGIN = 0.01


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


def compared(ours: dict[str, float], theirs: list[dict[str, float]], folds: dict[str, int]) -> dict:
    """
    - ours: by person.
    - theirs: of each of their trainings the same.
    - folds: of every person; each fold is a training of its own.
    """
    assert all(ours.keys() == one.keys() for one in theirs)
    people = sorted(ours)
    a = np.array([ours[person] for person in people])
    trainings = np.array([[one[person] for person in people] for one in theirs]).reshape(len(theirs), len(people))
    b = trainings.mean(0)
    fold = np.array([folds[person] for person in people])
    if len(people) < 2:
        # One person has no spread to judge by.
        return {
            "people": len(people), "qsmflow": float(a.mean()) if people else None, "pytorch": float(b.mean()) if people else None,
            "agrees": None}
    by_fold = np.array([(a - b)[fold == number].mean() for number in np.unique(fold)])
    errors = standard_error(a), standard_error(b)
    difference, rounding = float((a - b).mean()), scatter(trainings.mean(1))
    return {
        "people": len(people), "qsmflow": a.mean(), "qsmflow_se": errors[0], "pytorch": b.mean(), "pytorch_se": errors[1],
        "difference": difference, "difference_se": standard_error(a - b),
        "difference_se_over_folds": standard_error(by_fold) if len(by_fold) > 1 else None,
        "pytorch_sd_of_rounding": rounding,
        # One standard error: the smaller of the two means', and what rounding makes of one training beside the mean of theirs.
        # That of people is wide where people are few, though both sides judge the same; so ours is to be one of theirs, too.
        "agrees": abs(difference) <= (min(errors) ** 2 + rounding ** 2 * (1 + 1 / len(theirs))) ** 0.5
        and is_one_of(float(a.mean()), trainings.mean(1), MARGIN)}


def scatter(values: np.ndarray) -> float:
    """Standard deviation; 0 of a single value."""
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def is_one_of(value: float, others: np.ndarray, least: float, most: float = float("inf")) -> bool:
    """Whether a value is within the 99 % prediction interval of others (Student's t), taken as no narrower and no wider than
    given."""
    count = len(others)
    reach = t.ppf(0.995, count - 1) * scatter(others) * (1 + 1 / count) ** 0.5 if count > 1 else 0.0
    return bool(abs(value - others.mean()) <= min(max(reach, least), most))
