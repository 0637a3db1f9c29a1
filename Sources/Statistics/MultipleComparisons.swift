/// Adjusted p-values for a family of tests.
package enum MultipleComparisons: String, Sendable, CaseIterable {
    /// False discovery rate (Benjamini and Hochberg 1995); adjusted values are often called q.
    case benjaminiHochberg = "benjamini-hochberg"
    /// Family-wise error, step-down (Holm 1979).
    case holm
    /// Family-wise error, single step.
    case bonferroni

    /// - Parameter pValues: 0…1; nil or NaN where a test could not be made. Those stay nil and do not count as tests.
    /// - Returns: adjusted values in the order given, each in 0…1 and not below its p-value.
    package func adjusted(_ pValues: [Double?]) -> [Double?] {
        let tested = pValues.indices.filter { place in pValues[place].map { !$0.isNaN } ?? false }
        let ranked = tested.map { (place: $0, p: pValues[$0] ?? 1) }.sorted { ($0.p, $0.place) < ($1.p, $1.place) }
        let count = Double(ranked.count)
        var result = [Double?](repeating: nil, count: pValues.count)
        switch self {
        case .bonferroni:
            for (place, p) in ranked { result[place] = min(1, p * count) }
        case .holm:
            var largest = 0.0
            for (rank, item) in ranked.enumerated() {
                largest = max(largest, min(1, item.p * (count - Double(rank))))
                result[item.place] = largest
            }
        case .benjaminiHochberg:
            var smallest = 1.0
            for (rank, item) in ranked.enumerated().reversed() {
                smallest = min(smallest, item.p * (count / Double(rank + 1)))
                result[item.place] = smallest
            }
        }
        return result
    }
}
