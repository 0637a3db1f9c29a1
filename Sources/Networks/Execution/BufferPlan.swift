import Kernels

/// Where in one arena every value of a program lives.
///
/// Values that are joined are written where the joined map lies, steps that can work in place do so where nobody needs
/// what they overwrite, parts of gradients are views; what is left are buffers with a lifetime, which `ArenaLayout` packs.
struct BufferPlan: Sendable {
    /// A value as a range of channels of another one.
    private struct Parent {
        let value: Int
        let channel: Int
    }

    struct Place: Hashable, Sendable {
        /// The value whose memory it is.
        let root: Int
        /// Where in its channels the value begins.
        let channel: Int
    }

    /// Of every value.
    private(set) var places: [Place]
    /// Offset in the arena, in values, of every root.
    let offsets: [Int: Int]
    /// Values of the arena.
    let count: Int
    /// The least any layout could do with these lifetimes.
    let lowerBound: Int

    private var parents: [Parent?]

    init(_ program: Program) {
        let valueCount = program.shapes.count
        parents = [Parent?](repeating: nil, count: valueCount)
        places = (0..<valueCount).map { Place(root: $0, channel: 0) }
        let lives = Lifetimes(program)
        var claims = Self.joins(program, lives)
        for (value, parent) in claims.sorted(by: { $0.key < $1.key }) { parents[value] = parent }
        claims.removeAll()

        var resolved = parents
        func place(_ value: Int) -> Place {
            var (value, channel) = (value, 0)
            while let parent = resolved[value] { (value, channel) = (parent.value, channel + parent.channel) }
            return Place(root: value, channel: channel)
        }
        for (s, step) in program.steps.enumerated() {
            guard let y = step.outputs.first else { continue }
            for position in step.operation.overwritable {
                let x = step.inputs[position]
                // Three of the same would be read after the first two have been written over.
                if case .addition = step.operation, step.inputs.count(where: { $0 == x }) > 2 { continue }
                guard program.shapes[x] == program.shapes[y], lives.born[x] >= 0,
                    resolved[x] == nil || resolved[y] == nil
                else { continue }
                let there = place(x)
                let end = there.channel + program.shapes[x].blocks * FeatureShape.lanes
                let isNeeded = (0..<valueCount).contains { other in
                    guard !step.outputs.contains(other), lives.born[other] < s, lives.lastRead[other] > s else {
                        return false
                    }
                    let place = place(other)
                    let otherEnd = place.channel + program.shapes[other].blocks * FeatureShape.lanes
                    return place.root == there.root && place.channel < end && there.channel < otherEnd
                }
                if isNeeded { continue }
                if resolved[x] == nil {
                    resolved[x] = Parent(value: y, channel: 0)
                } else {
                    resolved[y] = Parent(value: x, channel: 0)
                }
                break
            }
        }
        parents = resolved
        places = (0..<valueCount).map { place($0) }

        var buffers: [Int: ArenaLayout.Buffer] = [:]
        for value in 0..<valueCount {
            let root = places[value].root
            let (first, last) = (lives.born[value], max(lives.born[value], lives.lastRead[value]))
            var buffer = buffers[root] ?? .init(count: program.storedCount(root), first: first, last: last)
            buffer.first = min(buffer.first, first)
            buffer.last = max(buffer.last, last)
            buffers[root] = buffer
        }
        let roots = buffers.keys.sorted()
        let layout = ArenaLayout(roots.map { buffers[$0]! })
        offsets = Dictionary(uniqueKeysWithValues: zip(roots, layout.offsets))
        (count, lowerBound) = (layout.count, layout.lowerBound)
    }

    /// Whether a value is written straight into the map it is a part of, or read there: nothing to copy.
    func isWithin(_ part: Int, _ whole: Int, channel: Int) -> Bool {
        places[part].root == places[whole].root && places[part].channel == places[whole].channel + channel
    }

    /// The maps of all values, over the memory of the arena.
    func maps(of program: Program, in arena: UnsafeMutablePointer<Float>) -> [FeatureMap] {
        program.shapes.indices.map { value in
            let place = places[value]
            let shape = program.shapes[place.root]
            let base = arena + offsets[place.root]! + place.channel / FeatureShape.lanes * shape.blockStride
            return FeatureMap(shape: program.shapes[value], base: base, imageStride: shape.imageStride)
        }
    }

    /// The parts of joined maps and of gradients of joined maps, as far as their channels begin whole blocks.
    private static func joins(_ program: Program, _ lives: Lifetimes) -> [Int: Parent] {
        let lanes = FeatureShape.lanes
        var claims: [Int: Parent] = [:]
        for step in program.steps {
            guard let output = step.outputs.first else { continue }
            switch step.operation {
            case .concatenation:
                var channel = 0
                for input in step.inputs {
                    let isAligned = channel % lanes == 0
                    let fills = program.shapes[input].channels % lanes == 0 || input == step.inputs.last
                    if isAligned, fills, claims[input] == nil, lives.born[input] >= 0,
                        step.inputs.filter({ $0 == input }).count == 1
                    {
                        claims[input] = Parent(value: output, channel: channel)
                    }
                    channel += program.shapes[input].channels
                }
                // A copy that is not aligned writes whole blocks anew, so that nothing may lie there before.
                if !isAligned(step.inputs.map { program.shapes[$0].channels }) {
                    for input in step.inputs where claims[input]?.value == output { claims[input] = nil }
                }
            case .slice(let first):
                let end = first + program.shapes[output].channels
                let isLast = end == program.shapes[step.inputs[0]].channels
                if first % lanes == 0, isLast || end % lanes == 0 {
                    claims[output] = Parent(value: step.inputs[0], channel: first)
                }
            default: break
            }
        }
        return claims
    }

    /// Whether every part of a joined map begins a block of channels.
    static func isAligned(_ channels: [Int]) -> Bool {
        channels.dropLast().allSatisfy { $0 % FeatureShape.lanes == 0 }
    }
}

/// When the values of a program are written and last read, in steps.
struct Lifetimes: Sendable {
    /// −1 for what is given from outside.
    private(set) var born: [Int]
    private(set) var lastRead: [Int]

    init(_ program: Program) {
        born = [Int](repeating: -1, count: program.shapes.count)
        lastRead = [Int](repeating: -1, count: program.shapes.count)
        for (s, step) in program.steps.enumerated() {
            for output in step.outputs { born[output] = s }
            for input in step.inputs { lastRead[input] = s }
        }
        for output in program.outputs {
            lastRead[output] = max(lastRead[output], program.outputsLastRead ?? program.steps.count)
        }
        for case let gradient? in program.inputGradients { lastRead[gradient] = program.steps.count }
    }
}
