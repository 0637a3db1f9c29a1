/// Numbers that a network takes beside its images, each brought to mean 0 and standard deviation 1 over the samples it
/// was trained on: by the model card the same is done wherever the network is applied.
package struct FeatureStandardisation: Sendable, Hashable, Codable {
    /// In the order in which the network takes them.
    package let names: [String]
    package let means: [Double]
    /// Over all samples, with their number below the line; 0 where a feature never varied, which is then no longer seen.
    package let standardDeviations: [Double]

    /// - Parameter samples: of the training, every one with a value for each name.
    package init(names: [String], samples: [[Double]]) {
        precondition(samples.allSatisfy { $0.count == names.count }, "every sample has a value for every feature")
        let count = Double(max(1, samples.count))
        let means = names.indices.map { n in samples.reduce(0) { $0 + $1[n] } / count }
        standardDeviations = names.indices.map { n in
            let spread = (samples.reduce(0) { $0 + ($1[n] - means[n]) * ($1[n] - means[n]) } / count).squareRoot()
            // What rounding leaves of a constant is no spread.
            return spread > 1e-9 * abs(means[n]) ? spread : 0
        }
        (self.names, self.means) = (names, means)
    }

    /// Features that had one value in all samples.
    package var constant: [String] { zip(names, standardDeviations).filter { $0.1 == 0 }.map(\.0) }

    /// - Parameter values: one per name.
    package func standardised(_ values: [Double]) -> [Float] {
        precondition(values.count == names.count, "a sample has a value for every feature")
        return values.indices.map { n in
            standardDeviations[n] > 0 ? Float((values[n] - means[n]) / standardDeviations[n]) : 0
        }
    }
}
