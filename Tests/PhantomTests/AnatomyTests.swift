import Foundation
import Kernels
import Testing

@testable import Phantom

@Suite struct AnatomyTests {
    /// Volume of a nucleus, both sides, in cm³.
    static func volume(_ nucleus: Nucleus) -> Double {
        let template = TemplateAnatomy.standard(threads: 2)
        let left = Tissue.nucleus(nucleus, right: false)
        let right = Tissue.nucleus(nucleus, right: true)
        let count = template.codes.reduce(0) { $0 + ($1 == left || $1 == right ? 1 : 0) }
        return Double(count) * template.grid.voxelVolumeCubicMillimetres / 1000
    }

    // Both sides, cm³: caudate, putamen and pallidum after an MRI series of healthy adults, the others rounded.
    @Test(arguments: [
        (Nucleus.caudate, 9.42), (.putamen, 10.41), (.pallidum, 2.16), (.accumbens, 0.9), (.substantiaNigra, 1.0),
        (.redNucleus, 0.5), (.dentate, 1.9), (.hippocampus, 6.5), (.amygdala, 3),
    ])
    func nucleiHaveTheirPublishedVolume(nucleus: Nucleus, expected: Double) {
        let found = Self.volume(nucleus)
        #expect(abs(found / expected - 1) < 0.2, "\(nucleus): \(found) cm³ instead of \(expected)")
    }

    @Test func thalamusWithPulvinarHasItsVolume() {
        let whole = Self.volume(.thalamus) + Self.volume(.pulvinar)
        #expect(whole > 12 && whole < 15, "\(whole) cm³")
        let share = Self.volume(.pulvinar) / whole
        #expect(share > 0.18 && share < 0.32, "\(share)")
    }

    @Test func nucleiAreWhereAnatomyHasThem() throws {
        // Rounded MNI centroids of the right side.
        let expected: [(Nucleus, SIMD3<Double>)] = [
            (.putamen, [26, 1.5, 0]), (.pallidum, [19.5, -3, -1.5]), (.accumbens, [10, 11, -7.5]),
            (.thalamus, [11.5, -15, 6.5]), (.amygdala, [23, -4, -19]), (.redNucleus, [5, -19.5, -9]),
            (.substantiaNigra, [10, -17.5, -13.5]), (.dentate, [15, -59, -34]),
        ]
        let template = TemplateAnatomy.standard(threads: 2)
        var sums = [SIMD3<Double>](repeating: .init(repeating: 0), count: Tissue.count)
        var counts = [Double](repeating: 0, count: Tissue.count)
        let grid = template.grid
        for k in 0..<grid.nz {
            for j in 0..<grid.ny {
                for i in 0..<grid.nx {
                    let code = Int(template.codes[grid.index(i, j, k)])
                    sums[code] += grid.affine(SIMD3(Double(i), Double(j), Double(k)))
                    counts[code] += 1
                }
            }
        }
        for (nucleus, place) in expected {
            let right = Int(Tissue.nucleus(nucleus, right: true))
            let left = Int(Tissue.nucleus(nucleus, right: false))
            let offset = sums[right] / counts[right] - place
            #expect((offset * offset).sum().squareRoot() < 3.5, "\(nucleus) is off by \(offset)")
            // Left mirrors right.
            let mirror = sums[left] / counts[left] * SIMD3(-1, 1, 1) - sums[right] / counts[right]
            #expect((mirror * mirror).sum().squareRoot() < 0.1, "\(nucleus)")
            #expect(abs(counts[left] / counts[right] - 1) < 0.01, "\(nucleus)")
        }
        let brain = (0..<Tissue.count).filter { Tissue.isBrain(UInt8($0)) }.reduce(0) { $0 + counts[$1] }
        let litres = brain * grid.voxelVolumeCubicMillimetres / 1e6
        #expect(litres > 1.2 && litres < 1.9, "\(litres) l")
    }

    @Test func templateDoesNotDependOnThreads() {
        let one = TemplateAnatomy(spacingMillimetres: 4, threads: 1)
        let three = TemplateAnatomy(spacingMillimetres: 4, threads: 3)
        #expect(one.codes == three.codes)
        #expect(one.codes.contains(Tissue.white))
    }

    @Test func shapesKnowTheirDepth() {
        let ball = Shape.Ellipsoid([1, 2, 3], [10, 10, 10])
        #expect(abs(ball.depth([1, 2, 9]) - 4) < 1e-12)
        #expect(abs(ball.depth([1, 17, 3]) + 5) < 1e-12)
        // Along an axis a boxy solid has the same extent, along the diagonal it reaches further than an ellipsoid.
        let box = Shape.Ellipsoid([0, 0, 0], [10, 6, 4], isBoxy: true)
        #expect(abs(box.depth([10, 0, 0])) < 1e-9 && abs(box.depth([0, 6, 0])) < 1e-9)
        #expect(box.depth([6.5, 3.9, 0]) > 0)
        #expect(Shape.Ellipsoid([0, 0, 0], [10, 6, 4]).depth([6.5, 4.6, 0]) < 0)
        let turned = Shape.Ellipsoid([0, 0, 0], [10, 1, 1], turnZ: 90)
        #expect(turned.depth([0, 9, 0]) > 0 && turned.depth([9, 0, 0]) < 0)
        let tube = Shape.Tube([[0, 0, 0, 2], [10, 0, 0, 4]])
        #expect(abs(tube.depth([5, 1, 0]) - 2) < 1e-12)
        #expect(tube.depth([5, 30, 0]) < 0)
        #expect(Shape.union(3, -20, smoothing: 5) == 3)
        #expect(Shape.union(1, 1, smoothing: 4) == 2)
    }
}
