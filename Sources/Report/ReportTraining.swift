extension ReportInput {
    /// A network that a step of the run trained.
    package struct Training: Sendable {
        package struct Epoch: Sendable {
            /// From 1.
            package var number: Int
            package var trainingLoss: Double
            /// Nil without people to judge by.
            package var validationLoss: Double?
            package var metric: Double?

            package init(
                number: Int, trainingLoss: Double, validationLoss: Double? = nil, metric: Double? = nil
            ) {
                (self.number, self.trainingLoss) = (number, trainingLoss)
                (self.validationLoss, self.metric) = (validationLoss, metric)
            }
        }

        /// A score of the model that was kept, such as the Dice coefficient of a class.
        package struct Score: Sendable {
            package var name: String
            package var value: Double

            package init(_ name: String, _ value: Double) { (self.name, self.value) = (name, value) }
        }

        package var step: String
        /// What it is: digest, architecture, people.
        package var facts: [Fact]
        /// As the curve names it, such as `patch_dice`.
        package var metricName: String
        package var epochs: [Epoch]
        /// Number of the epoch whose weights were kept; nil where they are averaged.
        package var bestEpoch: Int?
        package var scores: [Score]

        package init(
            step: String, facts: [Fact], metricName: String, epochs: [Epoch], bestEpoch: Int?, scores: [Score]
        ) {
            (self.step, self.facts, self.metricName) = (step, facts, metricName)
            (self.epochs, self.bestEpoch, self.scores) = (epochs, bestEpoch, scores)
        }
    }
}
