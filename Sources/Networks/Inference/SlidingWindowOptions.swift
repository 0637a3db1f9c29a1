import Kernels

/// How a volume is cut into windows and how their predictions are put together.
package struct SlidingWindowOptions: Sendable, Hashable, Codable {
    /// How much a window's prediction counts at its places.
    package enum Blending: Sendable, Hashable, Codable {
        /// Everywhere the same.
        case constant
        /// A Gaussian around the middle of the window; its standard deviation as a fraction of the window's edge.
        case gaussian(sigmaFraction: Double)
    }

    /// What lies beyond a volume that is smaller than the window.
    package enum Padding: String, Sendable, Hashable, Codable {
        case zero
        /// A value for each channel: what a zero became when the channel was normalised.
        case background
        /// The volume mirrored at its outermost voxels, which are not repeated.
        case reflect
    }

    /// depth × height × width in voxels.
    package var window: Extent3
    /// Share of the window's edge by which neighbours overlap at least, 0 ..< 1, along each axis longer than one voxel.
    package var overlap: Double
    package var blending: Blending
    package var padding: Padding
    /// Every combination of flips along these axes is predicted too, and the probabilities are averaged.
    package var flips: GridAxes
    /// Pairs of classes that swap when the volume is flipped along width (left and right of the same structure).
    package var lateralPairs: [LateralPair]
    /// Windows predicted at once.
    package var batch: Int
    /// Take the whole volume as one window where everything together stays within this many bytes.
    package var wholeVolumeBytes: Int?
    /// Never begin when more bytes than these are needed.
    package var limitBytes: Int?

    package init(
        window: Extent3, overlap: Double = 0.5, blending: Blending = .gaussian(sigmaFraction: 0.125),
        padding: Padding = .zero, flips: GridAxes = [], lateralPairs: [LateralPair] = [], batch: Int = 1,
        wholeVolumeBytes: Int? = nil, limitBytes: Int? = nil
    ) {
        self.window = window
        self.overlap = overlap
        self.blending = blending
        self.padding = padding
        self.flips = flips
        self.lateralPairs = lateralPairs
        self.batch = batch
        self.wholeVolumeBytes = wholeVolumeBytes
        self.limitBytes = limitBytes
    }
}

extension SlidingWindowOptions {
    /// No window has a longer edge.
    static let largestEdge = 1 << 14

    /// - Throws: `InferenceError.options` naming what is out of range.
    package func check(classes: Int) throws(InferenceError) {
        let edges = [window.depth, window.height, window.width]
        guard edges.allSatisfy({ (1...Self.largestEdge).contains($0) }) else {
            throw InferenceError.options(
                "a window of \(window) voxels; every edge has 1 to \(Self.largestEdge)")
        }
        guard (1...1 << 16).contains(batch) else {
            throw InferenceError.options("\(batch) windows are to be predicted at once; give 1 to \(1 << 16)")
        }
        guard overlap >= 0, overlap < 1 else {
            throw InferenceError.options("the overlap is a fraction from 0 to below 1, not \(overlap)")
        }
        if let problem = lateralPairs.problem(classes: classes) { throw InferenceError.options(problem) }
    }
}

/// Two classes that are each other's mirror image from left to right.
package struct LateralPair: Sendable, Hashable, Codable {
    package var first: Int
    package var second: Int

    package init(_ first: Int, _ second: Int) { (self.first, self.second) = (first, second) }
}

extension [LateralPair] {
    /// Why the pairs are no exchange of classes 0 ..< classes; nil where they are.
    package func problem(classes: Int) -> String? {
        var seen: Set<Int> = []
        for pair in self {
            for one in [pair.first, pair.second] where !(0..<classes).contains(one) {
                return
                    "the pair (\(pair.first), \(pair.second)) of mirrored classes names \(one); classes are 0 to \(classes - 1)"
            }
            guard seen.insert(pair.first).inserted, seen.insert(pair.second).inserted else {
                return
                    "the pair (\(pair.first), \(pair.second)) of mirrored classes names a class twice; each is in one pair"
            }
        }
        return nil
    }

    /// The class each of `classes` classes becomes under a left-right flip.
    package func swapped(classes: Int) -> [Int] {
        var result = Swift.Array(0..<classes)
        for pair in self where pair.first < classes && pair.second < classes {
            (result[pair.first], result[pair.second]) = (pair.second, pair.first)
        }
        return result
    }
}
