// Losses on logits: value and gradient in one pass. Positions lie `16` values apart, blocks of channels `stride`.
// Gradients are written, or added to what is there (`adds` 1); without a gradient pointer only the value is computed.

/// Adds sixteen values to one sum.
@inline(__always)
func add(_ v: Lanes, to sum: UnsafeMutablePointer<Double>) {
    var total = 0.0
    for lane in 0..<16 { total += Double(v[lane]) }
    sum.pointee += total
}

/// Cross-entropy, or focal loss where gamma is not 0: −w·(1 − p)^γ·log p of the true class, p by softmax.
///
/// - Parameters:
///   - keep: ones for the lanes of the last block that are channels.
///   - targets: class of each position.
///   - weights: of each of 256 classes; zero for classes that do not count.
///   - scale: multiplies the gradient, not the sum.
///   - scratch: 256·blocks + 80 values.
///   - sum: the losses are added to it.
@inline(never)
package func classLoss(
    _ z: UnsafePointer<Float>, _ blocks: Int, _ stride: Int, _ keep: UnsafePointer<UInt32>,
    _ targets: UnsafePointer<UInt8>, _ weights: UnsafePointer<Float>, _ gamma: Float, _ scale: Float,
    _ gradient: UnsafeMutablePointer<Float>?, _ adds: Int, _ scratch: UnsafeMutablePointer<Float>, _ count: Int,
    _ sum: UnsafeMutablePointer<Double>
) {
    let mask = load(keep)
    // Of sixteen positions at a time: largest logit, sum of exponentials, logit and weight of the true class, factor.
    let (tops, sums, trueLogits) = (scratch, scratch + 16, scratch + 32)
    let (ownWeights, factors, e) = (scratch + 48, scratch + 64, scratch + 80)
    var first = 0
    while first < count {
        let n = min(16, count - first)
        for j in 0..<16 { (tops[j], sums[j], trueLogits[j], ownWeights[j]) = (0, 1, 0, 0) }
        for j in 0..<n {
            let p = z + (first + j) * 16
            let weight = weights[Int(targets[first + j])]
            if weight == 0 && gradient == nil { continue }
            let top = largestChannel(p, blocks, stride, mask)
            tops[j] = top
            sums[j] = exponentials(p, blocks, stride, mask, top, e + j * 16, 256)
            let target = Int(targets[first + j])
            trueLogits[j] = weight == 0 ? top : p[(target >> 4) * stride + (target & 15)]
            ownWeights[j] = weight
        }
        let (s, w) = (load(sums), load(ownWeights))
        let logit = load(trueLogits) - load(tops)
        let logProbability = logit - logarithm(s)
        if gamma == 0 {
            add(-w * logProbability, to: sum)
            store(w * scale, factors)
        } else {
            let trueExponential = exponential(logit)
            var others = (s - trueExponential) / s
            others.replace(with: 0, where: others .< 0)
            let power = exponential(gamma * logarithm(others))
            let ratio = (logProbability / others).replacing(with: -1, where: others .== 0)
            add(-w * power * logProbability, to: sum)
            store(w * scale * power * (1 - gamma * (trueExponential / s) * ratio), factors)
        }
        if let gradient {
            for j in 0..<n {
                let q = gradient + (first + j) * 16
                let factor = factors[j] / sums[j]
                for b in 0..<blocks {
                    let g = load(e + b * 256 + j * 16) * factor
                    store(adds == 0 ? g : g + load(q + b * stride), q + b * stride)
                }
                if factors[j] != 0 {
                    let target = Int(targets[first + j])
                    q[(target >> 4) * stride + (target & 15)] -= factors[j]
                }
            }
        }
        first += n
    }
}

/// Sixteen lanes that are 1 where the class of a position is the channel of the lane.
@inline(__always)
func hot(_ channel: Int32) -> Lanes {
    let ramp = WholeLanes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    return Lanes().replacing(with: 1, where: ramp .== WholeLanes(repeating: channel))
}

/// Probabilities of one position, 16 values from block to block.
@inline(__always)
func probabilities(
    _ isSigmoid: Int, _ p: UnsafePointer<Float>, _ blocks: Int, _ stride: Int, _ mask: LaneBits,
    _ target: UnsafeMutablePointer<Float>
) {
    if isSigmoid == 0 {
        let top = largestChannel(p, blocks, stride, mask)
        let factor = 1 / exponentials(p, blocks, stride, mask, top, target, 16)
        for b in 0..<blocks { store(load(target + b * 16) * factor, target + b * 16) }
    } else {
        for b in 0..<blocks - 1 { store(logistic(load(p + b * stride)), target + b * 16) }
        store(kept(logistic(load(p + (blocks - 1) * stride)), mask), target + (blocks - 1) * 16)
    }
}

/// Per channel, sums over positions of p·t, of p (or p²) and of t (or t²): what the soft Dice coefficient needs.
///
/// - Parameters:
///   - targets: class of each position; `firstClass` is that of channel 0, `ignored` is skipped (−1: none).
///   - targetMap: instead of classes, a value per channel, laid out like z.
///   - scratch: 64·blocks values.
///   - sums: 3·16·blocks; added to.
@inline(never)
package func diceSums(
    _ isSigmoid: Int, _ z: UnsafePointer<Float>, _ blocks: Int, _ stride: Int, _ keep: UnsafePointer<UInt32>,
    _ targets: UnsafePointer<UInt8>?, _ firstClass: Int, _ ignored: Int, _ targetMap: UnsafePointer<Float>?,
    _ isSquared: Int, _ scratch: UnsafeMutablePointer<Float>, _ count: Int, _ sums: UnsafeMutablePointer<Double>
) {
    let mask = load(keep)
    let lanes = blocks * 16
    let partial = scratch + lanes
    var first = 0
    while first < count {
        let end = min(first + 64, count)
        for n in 0..<3 * blocks { store(Lanes(), partial + n * 16) }
        for i in first..<end {
            var channel = 0
            if let targets { channel = Int(targets[i]) }
            if targets != nil && channel == ignored { continue }
            probabilities(isSigmoid, z + i * 16, blocks, stride, mask, scratch)
            for b in 0..<blocks {
                let p = load(scratch + b * 16)
                let t: Lanes
                if let targetMap {
                    t = load(targetMap + b * stride + i * 16)
                } else {
                    t = hot(Int32(channel - firstClass - b * 16))
                }
                let a = partial + b * 16
                store(fused(p, t, load(a)), a)
                store(isSquared == 0 ? load(a + lanes) + p : fused(p, p, load(a + lanes)), a + lanes)
                store(isSquared == 0 ? load(a + 2 * lanes) + t : fused(t, t, load(a + 2 * lanes)), a + 2 * lanes)
            }
        }
        for n in 0..<3 * lanes { sums[n] += Double(partial[n]) }
        first = end
    }
}

/// Gradient of a function of the sums above: slopes[c]·t + slopes[16·blocks + c]·(1 or 2p) with respect to p, taken
/// back through softmax or sigmoid. Parameters as above.
@inline(never)
package func diceGradient(
    _ isSigmoid: Int, _ z: UnsafePointer<Float>, _ blocks: Int, _ stride: Int, _ keep: UnsafePointer<UInt32>,
    _ targets: UnsafePointer<UInt8>?, _ firstClass: Int, _ ignored: Int, _ targetMap: UnsafePointer<Float>?,
    _ isSquared: Int, _ scratch: UnsafeMutablePointer<Float>, _ count: Int, _ slopes: UnsafePointer<Float>,
    _ gradient: UnsafeMutablePointer<Float>, _ adds: Int
) {
    let mask = load(keep)
    let lanes = blocks * 16
    let inner = scratch + lanes
    for i in 0..<count {
        var channel = 0
        if let targets { channel = Int(targets[i]) }
        let q = gradient + i * 16
        if targets != nil && channel == ignored {
            if adds == 0 {
                for b in 0..<blocks { store(Lanes(), q + b * stride) }
            }
            continue
        }
        probabilities(isSigmoid, z + i * 16, blocks, stride, mask, scratch)
        var sum = Lanes()
        for b in 0..<blocks {
            let p = load(scratch + b * 16)
            let t: Lanes
            if let targetMap {
                t = load(targetMap + b * stride + i * 16)
            } else {
                t = hot(Int32(channel - firstClass - b * 16))
            }
            let own = load(slopes + lanes + b * 16)
            let g = fused(load(slopes + b * 16), t, isSquared == 0 ? own : own * (p + p))
            store(g, inner + b * 16)
            sum = fused(g, p, sum)
        }
        let total = isSigmoid == 0 ? sumOfLanes(sum) : 0
        for b in 0..<blocks {
            let (p, g) = (load(scratch + b * 16), load(inner + b * 16))
            let slope = isSigmoid == 0 ? p * (g - total) : g * (p * (1 - p))
            store(adds == 0 ? slope : slope + load(q + b * stride), q + b * stride)
        }
    }
}

/// Binary cross-entropy on logits of one block: (1 − t)·log(1 + eᶻ) + w·t·log(1 + e⁻ᶻ), w per lane.
@inline(never)
package func binaryCrossEntropy(
    _ z: UnsafePointer<Float>, _ t: UnsafePointer<Float>, _ positiveWeights: UnsafePointer<Float>,
    _ keep: UnsafePointer<UInt32>, _ scale: Float, _ gradient: UnsafeMutablePointer<Float>?, _ adds: Int, _ count: Int,
    _ sum: UnsafeMutablePointer<Double>
) {
    let mask = load(keep)
    let weight = load(positiveWeights)
    var first = 0
    while first < count * 16 {
        let end = min(first + 1024, count * 16)
        var partial = Lanes()
        var i = first
        while i < end {
            let (v, target) = (load(z + i), load(t + i))
            let (positive, negative) = (target * weight, 1 - target)
            let e = exponential(lanes(bits(v) | 0x8000_0000))
            let tail = logarithmOfOnePlus(e)
            let isNegative = v .< 0
            let zero = Lanes()
            let losses = fused(
                negative, v.replacing(with: zero, where: isNegative) + tail,
                positive * ((-v).replacing(with: zero, where: .!isNegative) + tail))
            partial += kept(losses, mask)
            if let gradient {
                let inverse = 1 / (e + 1)
                let one = Lanes(repeating: 1)
                let above = one.replacing(with: e, where: isNegative) * inverse
                let below = e.replacing(with: one, where: isNegative) * inverse
                let g = kept((negative * above - positive * below) * scale, mask)
                store(adds == 0 ? g : g + load(gradient + i), gradient + i)
            }
            i += 16
        }
        add(partial, to: sum)
        first = end
    }
}

/// Squared differences; the gradient is 2·(z − t)·scale.
@inline(never)
package func squaredError(
    _ z: UnsafePointer<Float>, _ t: UnsafePointer<Float>, _ scale: Float, _ gradient: UnsafeMutablePointer<Float>?,
    _ adds: Int, _ count: Int, _ sum: UnsafeMutablePointer<Double>
) {
    var first = 0
    while first < count * 16 {
        let end = min(first + 1024, count * 16)
        var partial = Lanes()
        var i = first
        while i < end {
            let difference = load(z + i) - load(t + i)
            partial = fused(difference, difference, partial)
            if let gradient {
                let g = difference * (2 * scale)
                store(adds == 0 ? g : g + load(gradient + i), gradient + i)
            }
            i += 16
        }
        add(partial, to: sum)
        first = end
    }
}
