/// The size of batches in which everything is judged exactly once: the largest that divides the number of samples, since
/// batches of the training data are always full.
func judgingBatch(samples: Int, atMost batch: Int) -> Int {
    (1...max(1, min(batch, samples))).last { samples % $0 == 0 } ?? 1
}
