import Kernels

/// What χ is measured against. A susceptibility map is known only up to a constant; results depend on the region whose
/// mean is set to zero, so several are reported side by side.
package enum SusceptibilityReference: Sendable, Equatable {
    /// The map as it is.
    case none
    /// The mean over the brain mask (over all covered voxels without one).
    case wholeBrain
    /// The mean over regions of the label map, for example the ventricles as CSF.
    ///
    /// - Parameters:
    ///   - name: how results call it, for example `csf`.
    ///   - labels: the regions, together one.
    ///   - peeled: leave out the outermost layer of voxels, which mixes with tissue; kept when fewer than
    ///     `smallestPeeledVoxels` would remain.
    case regions(name: String, labels: [UInt16], peeled: Bool)

    /// CSF as the mean of the ventricles without their outermost voxels.
    package static func csf(ventricles labels: [UInt16]) -> SusceptibilityReference {
        .regions(name: "csf", labels: labels, peeled: true)
    }

    package static let smallestPeeledVoxels = 50

    package var name: String {
        switch self {
        case .none: "none"
        case .wholeBrain: "whole_brain"
        case .regions(let name, _, _): name
        }
    }
}

/// The value of a reference in one map.
package struct ReferenceValue: Sendable, Equatable {
    package var name: String
    /// Mean χ of the reference, in the unit of the map; 0 for no reference; nil when the reference has no covered voxel,
    /// and then no result is given against it.
    package var subtracted: Double?
    /// Covered voxels averaged; 0 for no reference.
    package var voxels: Int
    /// Standard deviation over those voxels; nil for fewer than two.
    package var standardDeviation: Double?
    /// Whether the outermost layer was left out.
    package var peeled: Bool
}

extension SusceptibilityReference {
    /// - Parameter coverage: where the map has values, within the brain mask.
    func value(in map: Volume, labels: LabelMap, coverage: Mask) -> ReferenceValue {
        switch self {
        case .none:
            return ReferenceValue(name: name, subtracted: 0, voxels: 0, standardDeviation: nil, peeled: false)
        case .wholeBrain:
            return .init(mean: name, map, peeled: false) { coverage.values[$0] != 0 }
        case .regions(_, let wanted, let peeled):
            var region = Mask(grid: map.grid)
            let wanted = Set(wanted)
            for index in labels.values.indices where labels.values[index] != 0 {
                if wanted.contains(labels.values[index]) { region.values[index] = 1 }
            }
            if peeled {
                let inner = region.peeled()
                let value = ReferenceValue(mean: name, map, peeled: true) {
                    inner.values[$0] != 0 && coverage.values[$0] != 0
                }
                if value.voxels >= Self.smallestPeeledVoxels { return value }
            }
            return .init(mean: name, map, peeled: false) { region.values[$0] != 0 && coverage.values[$0] != 0 }
        }
    }
}

extension ReferenceValue {
    /// Mean and standard deviation over the chosen voxels, in two passes.
    fileprivate init(mean name: String, _ map: Volume, peeled: Bool, where isChosen: (Int) -> Bool) {
        var (count, sum) = (0, 0.0)
        for index in map.values.indices where isChosen(index) {
            count += 1
            sum += Double(map.values[index])
        }
        let mean = sum / Double(count)
        var squares = 0.0
        for index in map.values.indices where isChosen(index) {
            let difference = Double(map.values[index]) - mean
            squares += difference * difference
        }
        self.init(
            name: name, subtracted: count > 0 ? mean : nil, voxels: count,
            standardDeviation: count > 1 ? (squares / Double(count - 1)).squareRoot() : nil, peeled: peeled)
    }
}

extension Mask {
    /// Without the voxels that have a face neighbour outside (or lie at the edge of the grid).
    func peeled() -> Mask {
        let (nx, ny, nz) = (grid.nx, grid.ny, grid.nz)
        var result = Mask(grid: grid)
        guard nx > 2, ny > 2, nz > 2 else { return result }
        for k in 1..<nz - 1 {
            for j in 1..<ny - 1 {
                let row = nx * (j + ny * k)
                for i in row + 1..<row + nx - 1 where values[i] != 0 {
                    let inside =
                        values[i - 1] != 0 && values[i + 1] != 0 && values[i - nx] != 0 && values[i + nx] != 0
                        && values[i - nx * ny] != 0 && values[i + nx * ny] != 0
                    if inside { result.values[i] = 1 }
                }
            }
        }
        return result
    }
}
