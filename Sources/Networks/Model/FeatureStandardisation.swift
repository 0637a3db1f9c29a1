/// Numbers that a network takes beside its images, each brought to mean 0 and standard deviation 1 over the samples it
/// was trained on: by the model card the same is done wherever the network is applied.
package struct FeatureStandardisation: Sendable, Hashable, Codable {
    /// In the order in which the network takes them.
    package let names: [String]
    package let means: [Double]
    /// Over all samples, with their number below the line; 0 where a feature never varied, which is then no longer seen.
    package let standardDeviations: [Double]

    /// - Parameter samples: of the training, every one with a value for each name; NaN where it does not have the feature,
    ///   as the texture of a single voxel, which then does not count.
    package init(names: [String], samples: [[Double]]) {
        precondition(samples.allSatisfy { $0.count == names.count }, "every sample has a value for every feature")
        let known = names.indices.map { n in samples.map { $0[n] }.filter { !$0.isNaN } }
        let means = known.map { values in values.reduce(0, +) / Double(max(1, values.count)) }
        standardDeviations = zip(known, means).map { values, mean in
            let spread =
                (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(1, values.count))).squareRoot()
            // What rounding leaves of a constant is no spread.
            return spread > 1e-9 * abs(mean) ? spread : 0
        }
        (self.names, self.means) = (names, means)
    }

    /// Features that had one value in all samples.
    package var constant: [String] { zip(names, standardDeviations).filter { $0.1 == 0 }.map(\.0) }

    /// - Parameter values: one per name; NaN, for a feature that a sample does not have, becomes the mean.
    package func standardised(_ values: [Double]) -> [Float] {
        precondition(values.count == names.count, "a sample has a value for every feature")
        return values.indices.map { n in
            standardDeviations[n] > 0 && !values[n].isNaN ? Float((values[n] - means[n]) / standardDeviations[n]) : 0
        }
    }
}
