/// How intensities become grey levels 1, 2, … (IBSI, section 2.7).
package enum Discretisation: Sendable, Equatable {
    /// The values are grey levels already: whole numbers from 1.
    case none
    /// Fixed bin number (K15C): this many bins of equal width between the smallest and the largest value of the region.
    case fixedNumber(Int)
    /// Fixed bin size (Q3RU): bins of this width, in the unit of the image, the first one starting at `minimum`; nil
    /// starts at the smallest value of the region. With a resegmentation range, its lower end is the minimum.
    case fixedSize(Double, minimum: Double?)
    /// As PyRadiomics: bins of this width with edges at multiples of it; the first holds the smallest value.
    case alignedSize(Double)

    /// More levels than this make matrices that say nothing and take gigabytes.
    package static let largestLevelCount = 4096

    /// Grey levels of values, in their order.
    ///
    /// - Throws: `FeatureError.tooManyLevels`, or `FeatureError.notLevels` for `.none` with other values.
    package func levels(of values: [Double]) throws -> [Int32] {
        guard let smallest = values.min(), let largest = values.max() else { return [] }
        let level: (Double) -> Double
        switch self {
        case .none:
            guard values.allSatisfy({ $0 >= 1 && $0 == $0.rounded() }) else { throw FeatureError.notLevels }
            level = { $0 }
        case .fixedNumber(let number):
            let count = Double(number)
            let width = largest - smallest
            level = { width > 0 ? min(((($0 - smallest) / width) * count).rounded(.down) + 1, count) : 1 }
        case .fixedSize(let width, let minimum):
            let start = min(minimum ?? smallest, smallest)
            level = { (($0 - start) / width).rounded(.down) + 1 }
        case .alignedSize(let width):
            // The first edge at or below the smallest value. The quotient may round across an edge, so edges decide.
            let start = (smallest / width).rounded(.down) * width
            level = { value in
                var step = ((value - start) / width).rounded(.down)
                if value < start + step * width { step -= 1 }
                if value >= start + (step + 1) * width { step += 1 }
                return max(step, 0) + 1
            }
        }
        let count = level(largest)
        guard count <= Double(Self.largestLevelCount) else {
            throw FeatureError.tooManyLevels(count: count, smallest: smallest, largest: largest)
        }
        return values.map { Int32(level($0)) }
    }
}

/// What can be wrong with a request for features.
package enum FeatureError: Error, Sendable, Equatable, CustomStringConvertible {
    case tooManyLevels(count: Double, smallest: Double, largest: Double)
    case notLevels

    package var description: String {
        switch self {
        case .tooManyLevels(let count, let smallest, let largest):
            "values from \(smallest) to \(largest) make \(count) grey levels, more than \(Discretisation.largestLevelCount); "
                + "take wider bins (bin_width, in the unit of the image) or a fixed bin_number"
        case .notLevels:
            "without discretisation the values must be whole numbers from 1; choose fixed bins (bin_width or bin_number)"
        }
    }
}
