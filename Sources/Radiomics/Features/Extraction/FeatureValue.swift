/// A measured feature, or why there is none.
package struct FeatureValue: Sendable, Equatable {
    package var name: String
    /// Finite; nil for a feature that does not exist for the region.
    package var value: Double?
    /// Why there is no value.
    package var missing: MissingFeature?
}

/// Why a region does not have a feature.
package enum MissingFeature: String, Sendable, Equatable, CaseIterable {
    case noVoxels = "no voxel has a value"
    case singleVoxel = "it is a single voxel"
    case equalValues = "all its values are equal"
    case noNeighbours = "no two of its voxels are beside each other"
    case degenerate = "its definition divides by zero here"
}

extension FeatureValue {
    /// - Parameter value: NaN or infinite for a feature that does not exist.
    init(_ name: String, _ value: Double, _ contents: RegionContents, isTexture: Bool) {
        self.name = name
        if value.isFinite {
            (self.value, missing) = (value, nil)
        } else {
            (self.value, missing) = (nil, contents.reason(isTexture: isTexture))
        }
    }
}

/// What decides which features exist.
struct RegionContents {
    let voxels: Int
    let isFlat: Bool

    init(_ intensities: [Double]) {
        voxels = intensities.count
        isFlat = intensities.allSatisfy { $0 == intensities[0] }
    }

    func reason(isTexture: Bool) -> MissingFeature {
        if voxels == 0 { return .noVoxels }
        if voxels == 1 { return .singleVoxel }
        if isTexture { return .noNeighbours }
        return isFlat ? .equalValues : .degenerate
    }
}
