import Kernels

/// Lesions as the connected pieces of the classes of a label map, with numbers of their own.
///
/// Numbers run from 1: class by class in the order asked for, the largest lesion of a class first, of equals the one whose
/// first voxel comes first in memory.
package struct LesionComponents: Sendable {
    package struct Lesion: Sendable, Equatable {
        package let number: UInt16
        /// Its class: the label it had.
        package let label: UInt16
        package let voxels: Int
    }

    /// Lesions by number, 0 elsewhere.
    package let map: LabelMap
    /// In the order of their numbers.
    package let lesions: [Lesion]

    /// More lesions than a label map has numbers for.
    package struct TooMany: Error, CustomStringConvertible {
        package let count: Int
        package var description: String {
            "\(count) lesions are more than the 65535 that a label map can number; "
                + "leave small ones out, or name the labels that are lesions"
        }
    }

    /// - Parameters:
    ///   - labels: classes by number.
    ///   - classes: which of them are lesions; pieces of two classes are two lesions even where they touch.
    ///   - smallestVoxels: smaller pieces are left out.
    package init(
        of labels: LabelMap, classes: [UInt16], connectivity: Connectivity = .facesEdgesAndCorners,
        smallestVoxels: Int = 1
    ) throws(TooMany) {
        var map = LabelMap(grid: labels.grid)
        var lesions: [Lesion] = []
        for label in classes {
            let pieces = Mask(grid: labels.grid, values: labels.values.map { $0 == label ? 1 : 0 })
                .components(connectivity)
            // Pieces are numbered by their first voxels, and the sort is stable.
            let order = pieces.sizes.indices.filter { pieces.sizes[$0] >= smallestVoxels }
                .sorted { (-pieces.sizes[$0], $0) < (-pieces.sizes[$1], $1) }
            guard lesions.count + order.count < 1 << 16 else { throw TooMany(count: lesions.count + order.count) }
            var numbers = [UInt16](repeating: 0, count: pieces.sizes.count + 1)
            for piece in order {
                let number = UInt16(lesions.count + 1)
                numbers[piece + 1] = number
                lesions.append(Lesion(number: number, label: label, voxels: pieces.sizes[piece]))
            }
            for index in pieces.labels.indices where pieces.labels[index] > 0 {
                let number = numbers[Int(pieces.labels[index])]
                if number > 0 { map.values[index] = number }
            }
        }
        (self.map, self.lesions) = (map, lesions)
    }
}
