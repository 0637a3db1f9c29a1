// Weights between the order they are learned and stored in, where the elements of a kernel follow one another, and that
// of the products, where sixteen output channels do.

/// Up to 16 lines of `count` values become `count` vectors with one value of each line, zeros for lines that there are
/// not.
///
/// - Parameters:
///   - places: offset of each vector in `target`; below zero for vectors that are not wanted.
@inline(never)
package func vectorsOfLines(
    _ source: UnsafePointer<Float>, _ lineStride: Int, _ lines: Int, _ count: Int, _ places: UnsafePointer<Int>,
    _ target: UnsafeMutablePointer<Float>
) {
    @inline(__always)
    func put(_ v: Lanes, _ place: Int) {
        if place >= 0 { store(v, target + place) }
    }
    var n = 0
    if lines == 16 {
        while n &+ 16 <= count {
            let p = source + n
            var t: Tile = (
                load(p), load(p + lineStride), load(p + lineStride &* 2), load(p + lineStride &* 3),
                load(p + lineStride &* 4), load(p + lineStride &* 5), load(p + lineStride &* 6),
                load(p + lineStride &* 7), load(p + lineStride &* 8), load(p + lineStride &* 9),
                load(p + lineStride &* 10), load(p + lineStride &* 11), load(p + lineStride &* 12),
                load(p + lineStride &* 13), load(p + lineStride &* 14), load(p + lineStride &* 15)
            )
            t = shuffled(t)
            t = shuffled(t)
            t = shuffled(t)
            t = shuffled(t)
            let q = places + n
            put(t.0, q[0])
            put(t.1, q[1])
            put(t.2, q[2])
            put(t.3, q[3])
            put(t.4, q[4])
            put(t.5, q[5])
            put(t.6, q[6])
            put(t.7, q[7])
            put(t.8, q[8])
            put(t.9, q[9])
            put(t.10, q[10])
            put(t.11, q[11])
            put(t.12, q[12])
            put(t.13, q[13])
            put(t.14, q[14])
            put(t.15, q[15])
            n &+= 16
        }
        while n < count {
            if places[n] >= 0 {
                let (s, t) = (source + n, target + places[n])
                for line in 0..<16 { t[line] = s[line &* lineStride] }
            }
            n &+= 1
        }
    }
    while n < count {
        if places[n] >= 0 {
            let (s, t) = (source + n, target + places[n])
            for line in 0..<lines { t[line] = s[line &* lineStride] }
            for line in lines..<16 { t[line] = 0 }
        }
        n &+= 1
    }
}

/// The way back; a place below zero stands for zeros.
@inline(never)
package func linesOfVectors(
    _ source: UnsafePointer<Float>, _ places: UnsafePointer<Int>, _ count: Int, _ lines: Int,
    _ target: UnsafeMutablePointer<Float>, _ lineStride: Int
) {
    @inline(__always)
    func take(_ place: Int) -> Lanes { place >= 0 ? load(source + place) : Lanes() }
    var n = 0
    if lines == 16 {
        while n &+ 16 <= count {
            let q = places + n
            var t: Tile = (
                take(q[0]), take(q[1]), take(q[2]), take(q[3]),
                take(q[4]), take(q[5]), take(q[6]), take(q[7]),
                take(q[8]), take(q[9]), take(q[10]), take(q[11]),
                take(q[12]), take(q[13]), take(q[14]), take(q[15])
            )
            t = shuffled(t)
            t = shuffled(t)
            t = shuffled(t)
            t = shuffled(t)
            let p = target + n
            store(t.0, p)
            store(t.1, p + lineStride)
            store(t.2, p + lineStride &* 2)
            store(t.3, p + lineStride &* 3)
            store(t.4, p + lineStride &* 4)
            store(t.5, p + lineStride &* 5)
            store(t.6, p + lineStride &* 6)
            store(t.7, p + lineStride &* 7)
            store(t.8, p + lineStride &* 8)
            store(t.9, p + lineStride &* 9)
            store(t.10, p + lineStride &* 10)
            store(t.11, p + lineStride &* 11)
            store(t.12, p + lineStride &* 12)
            store(t.13, p + lineStride &* 13)
            store(t.14, p + lineStride &* 14)
            store(t.15, p + lineStride &* 15)
            n &+= 16
        }
    }
    while n < count {
        let (place, t) = (places[n], target + n)
        for line in 0..<lines { t[line &* lineStride] = place >= 0 ? source[place &+ line] : 0 }
        n &+= 1
    }
}
