/// Which of the classes probabilities say.
enum MostProbable {
    /// Of two equal ones the positive, which is the last, as a threshold of ½ has it; of more the first.
    ///
    /// - Parameter probabilities: one per class, none empty.
    static func index(of probabilities: [Double]) -> Int {
        if probabilities.count == 2 { return probabilities[1] >= probabilities[0] ? 1 : 0 }
        return probabilities.indices.max { probabilities[$0] < probabilities[$1] }!
    }
}
