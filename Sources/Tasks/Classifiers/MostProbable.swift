/// Which of the classes probabilities say.
enum MostProbable {
    /// The last of equals: of two classes that is the positive one, as a threshold of ½ has it.
    static func index(of probabilities: [Double]) -> Int {
        probabilities.indices.reversed().max { probabilities[$0] < probabilities[$1] }!
    }
}
