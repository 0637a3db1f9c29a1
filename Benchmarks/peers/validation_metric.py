"""Numbers that tell a training which epoch is the best: shares of parts and wholes, summed over batches before they are
divided (Sources/Networks/Training/ValidationMetric.swift). The mean is taken over the shares that there are.
"""
import numpy as np
import torch


def decisions(logits: torch.Tensor, target: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Classes found and expected, of one logit its signs."""
    if target.dtype == torch.int64:
        return logits.argmax(1).numpy().ravel(), target.numpy().ravel()
    return (logits > 0).numpy().ravel().astype(int), (target > 0.5).numpy().ravel().astype(int)


def shares(metric: str, classes: int, logits: torch.Tensor, target: torch.Tensor) -> np.ndarray:
    """(shares, 2): part and whole."""
    found, expected = decisions(logits, target)
    both = np.bincount(found[found == expected], minlength=classes)
    each_found, each_expected = np.bincount(found, minlength=classes), np.bincount(expected, minlength=classes)
    if metric == "accuracy":
        return np.array([[both.sum(), len(expected)]], float)
    if metric == "balanced_accuracy":
        return np.stack([both, each_expected], 1).astype(float)
    if metric.endswith("dice"):
        return np.stack([2 * both, each_found + each_expected], 1)[1:].astype(float)
    if metric.endswith("iou"):
        return np.stack([both, each_found + each_expected - both], 1)[1:].astype(float)
    raise SystemExit(f"the metric {metric} is not on this side")


def value(total: np.ndarray) -> float:
    present = total[total[:, 1] > 0]
    return float((present[:, 0] / present[:, 1]).mean()) if len(present) else 0.0
