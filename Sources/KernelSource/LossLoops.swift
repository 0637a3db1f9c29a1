// Losses on logits: value and gradient in one pass. Positions lie `16` values apart, blocks of channels `stride`.
// Gradients are written, or added to what is there (`adds` 1); without a gradient pointer only the value is computed.

/// Adds sixteen values to one sum.
@inline(always)
func add(_ v: Lanes, to sum: UnsafeMutablePointer<Double>) {
    var total = 0.0
    for lane in 0..<16 { total += Double(v[lane]) }
    sum.pointee += total
}

/// Lane numbers.
@inline(always)
func ramp() -> WholeLanes { WholeLanes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) }

/// Cross-entropy, or focal loss where gamma is not 0: −w·(1 − p)^γ·log p of the true class, p by softmax.
///
/// - Parameters:
///   - targets: class of each position.
///   - weights: of each of 256 classes; zero for classes that do not count.
///   - scale: multiplies the gradient, not the sum.
///   - scratch: 256·blocks + 32 values.
///   - sum: the losses are added to it.
@inline(never)
package func classLoss(
    _ z: UnsafePointer<Float>, _ channels: Int, _ stride: Int, _ targets: UnsafePointer<UInt8>,
    _ weights: UnsafePointer<Float>, _ gamma: Float, _ scale: Float, _ gradient: UnsafeMutablePointer<Float>?,
    _ adds: Int, _ scratch: UnsafeMutablePointer<Float>, _ count: Int, _ sum: UnsafeMutablePointer<Double>
) {
    let blocks = (channels + 15) / 16
    // Of sixteen positions at a time: weight and logit of the true class, then a row for each channel.
    let (ownWeights, trueLogits, rows) = (scratch, scratch + 16, scratch + 32)
    var first = 0
    while first < count {
        let end = min(first + 1024, count)
        var partial = Lanes()
        while first < end {
            let n = min(16, end - first)
            gatherRows(z + first * 16, blocks, stride, n, rows)
            for j in 0..<16 {
                let target = j < n ? Int(targets[first + j]) : 0
                let weight = j < n ? weights[target] : 0
                ownWeights[j] = weight
                trueLogits[j] = rows[(weight == 0 ? 0 : target) * 16 + j]
            }
            let top = largestRow(rows, channels)
            let s = exponentiateRows(rows, channels, top)
            let w = load(ownWeights)
            // Positions that do not count may hold anything, numbers or not.
            let isOut = w .== 0
            let logit = load(trueLogits) - top
            let logProbability = logit - logarithm(s)
            var factor = w * scale
            if gamma == 0 {
                partial -= (w * logProbability).replacing(with: 0, where: isOut)
            } else {
                let trueExponential = exponential(logit)
                var others = (s - trueExponential) / s
                others.replace(with: 0, where: others .< 0)
                let power = exponential(gamma * logarithm(others))
                let ratio = (logProbability / others).replacing(with: -1, where: others .== 0)
                partial -= (w * power * logProbability).replacing(with: 0, where: isOut)
                factor *= power * (1 - gamma * (trueExponential / s) * ratio)
            }
            if let gradient {
                let share = factor / s
                for c in 0..<channels {
                    store((load(rows + c * 16) * share).replacing(with: 0, where: isOut), rows + c * 16)
                }
                store(factor, trueLogits)
                for j in 0..<n where ownWeights[j] != 0 { rows[Int(targets[first + j]) * 16 + j] -= trueLogits[j] }
                scatterRows(rows, blocks, stride, n, gradient + first * 16, adds)
            }
            first += n
        }
        add(partial, to: sum)
    }
}

/// Ones where a channel is the true class of a position.
@inline(always)
func hot(_ classes: WholeLanes, _ channel: Int) -> Lanes {
    Lanes().replacing(with: 1, where: classes .== WholeLanes(repeating: Int32(truncatingIfNeeded: channel)))
}

/// Classes of n positions from `first` on, less that of channel 0, and ones for the positions that count.
@inline(always)
func classesOfPositions(
    _ targets: UnsafePointer<UInt8>?, _ first: Int, _ firstClass: Int, _ ignored: Int, _ n: Int
) -> (classes: WholeLanes, counts: Lanes) {
    var counts = Lanes().replacing(with: 1, where: ramp() .< WholeLanes(repeating: Int32(truncatingIfNeeded: n)))
    var classes = WholeLanes(repeating: -1)
    if let targets {
        for j in 0..<n { classes[j] = Int32(targets[first + j]) }
        counts.replace(with: 0, where: classes .== WholeLanes(repeating: Int32(truncatingIfNeeded: ignored)))
        classes &-= Int32(truncatingIfNeeded: firstClass)
    }
    return (classes, counts)
}

/// Replaces rows of logits by those of probabilities, zero at positions that do not count.
@inline(always)
func probabilities(
    _ isSigmoid: Int, _ rows: UnsafeMutablePointer<Float>, _ channels: Int, _ counts: Lanes
) {
    let isOut = counts .== 0
    if isSigmoid == 0 {
        let factor = 1 / exponentiateRows(rows, channels, largestRow(rows, channels))
        for c in 0..<channels {
            store((load(rows + c * 16) * factor).replacing(with: 0, where: isOut), rows + c * 16)
        }
    } else {
        for c in 0..<channels {
            store(logistic(load(rows + c * 16)).replacing(with: 0, where: isOut), rows + c * 16)
        }
    }
}

/// Per channel, sums over positions of p·t, of p (or p²) and of t (or t²): what the soft Dice coefficient needs.
///
/// - Parameters:
///   - targets: class of each position; `firstClass` is that of channel 0, `ignored` does not count (−1: none).
///   - targetMap: instead of classes, a value per channel, laid out like z.
///   - scratch: 1280·blocks values.
///   - sums: 3·16·blocks; added to.
@inline(never)
package func diceSums(
    _ isSigmoid: Int, _ z: UnsafePointer<Float>, _ channels: Int, _ stride: Int, _ targets: UnsafePointer<UInt8>?,
    _ firstClass: Int, _ ignored: Int, _ targetMap: UnsafePointer<Float>?, _ isSquared: Int,
    _ scratch: UnsafeMutablePointer<Float>, _ count: Int, _ sums: UnsafeMutablePointer<Double>
) {
    let blocks = (channels + 15) / 16
    let (rows, targetRows, partial) = (scratch, scratch + 256 * blocks, scratch + 512 * blocks)
    var first = 0
    while first < count {
        let end = min(first + 1024, count)
        for n in 0..<3 * channels { store(Lanes(), partial + n * 16) }
        while first < end {
            let n = min(16, end - first)
            let (classes, counts) = classesOfPositions(targets, first, firstClass, ignored, n)
            gatherRows(z + first * 16, blocks, stride, n, rows)
            probabilities(isSigmoid, rows, channels, counts)
            if let targetMap { gatherRows(targetMap + first * 16, blocks, stride, n, targetRows) }
            for c in 0..<channels {
                let p = load(rows + c * 16)
                let t = targetMap == nil ? hot(classes, c) * counts : load(targetRows + c * 16)
                let sum = partial + 48 * c
                store(fused(p, t, load(sum)), sum)
                store(isSquared == 0 ? load(sum + 16) + p : fused(p, p, load(sum + 16)), sum + 16)
                store(isSquared == 0 ? load(sum + 32) + t : fused(t, t, load(sum + 32)), sum + 32)
            }
            first += n
        }
        for c in 0..<channels {
            for kind in 0..<3 { add(load(partial + 48 * c + 16 * kind), to: sums + kind * 16 * blocks + c) }
        }
    }
}

/// Gradient of a function of the sums above: slopes[c]·t + slopes[16·blocks + c]·(1 or 2p) with respect to p, taken
/// back through softmax or sigmoid. Parameters as above.
@inline(never)
package func diceGradient(
    _ isSigmoid: Int, _ z: UnsafePointer<Float>, _ channels: Int, _ stride: Int, _ targets: UnsafePointer<UInt8>?,
    _ firstClass: Int, _ ignored: Int, _ targetMap: UnsafePointer<Float>?, _ isSquared: Int,
    _ scratch: UnsafeMutablePointer<Float>, _ count: Int, _ slopes: UnsafePointer<Float>,
    _ gradient: UnsafeMutablePointer<Float>, _ adds: Int
) {
    let blocks = (channels + 15) / 16
    let (rows, targetRows) = (scratch, scratch + 256 * blocks)
    let own = slopes + 16 * blocks
    var first = 0
    while first < count {
        let n = min(16, count - first)
        let (classes, counts) = classesOfPositions(targets, first, firstClass, ignored, n)
        gatherRows(z + first * 16, blocks, stride, n, rows)
        probabilities(isSigmoid, rows, channels, counts)
        if let targetMap { gatherRows(targetMap + first * 16, blocks, stride, n, targetRows) }
        // The slope for each probability, and for softmax their mean.
        var mean = Lanes()
        for c in 0..<channels {
            let p = load(rows + c * 16)
            let t = targetMap == nil ? hot(classes, c) : load(targetRows + c * 16)
            let slope = isSquared == 0 ? Lanes(repeating: own[c]) : (p + p) * own[c]
            let g = fused(t, Lanes(repeating: slopes[c]), slope)
            store(g, targetRows + c * 16)
            mean = fused(g, p, mean)
        }
        for c in 0..<channels {
            let (p, g) = (load(rows + c * 16), load(targetRows + c * 16))
            store(isSigmoid == 0 ? p * (g - mean) : g * (p * (1 - p)), rows + c * 16)
        }
        scatterRows(rows, blocks, stride, n, gradient + first * 16, adds)
        first += n
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
