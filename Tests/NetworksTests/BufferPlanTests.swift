import Kernels
import TestSupport
import Testing

@testable import Networks

/// No value is overwritten while somebody still needs it: checked by following programs step by step.
struct BufferPlanTests {
    @Test(arguments: 0..<20)
    func buffersThatLiveAtTheSameTimeNeverOverlap(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let buffers = (0..<Int(1 + random.next() % 60)).map { _ -> ArenaLayout.Buffer in
            let first = Int(random.next() % 40)
            return .init(
                count: Int(1 + random.next() % 5000), first: first, last: first + Int(random.next() % 12))
        }
        let layout = ArenaLayout(buffers)
        for (n, a) in buffers.enumerated() {
            #expect(layout.offsets[n] % 16 == 0)
            #expect(layout.offsets[n] + a.count <= layout.count)
            for m in 0..<n where a.first <= buffers[m].last && buffers[m].first <= a.last {
                let (x, y) = (layout.offsets[n], layout.offsets[m])
                #expect(x + a.count <= y || y + buffers[m].count <= x, "buffers \(n) and \(m), seed \(seed)")
            }
        }
        #expect(layout.count >= layout.lowerBound)
        #expect(layout.count <= 2 * layout.lowerBound)
    }

    /// Follows a program: what each step reads must still be what was written there.
    private func check(_ program: Program, _ comment: String) {
        let plan = BufferPlan(program)
        let lanes = FeatureShape.lanes
        // The part of the arena of a value, as ranges of blocks of one image of its root, and where these begin.
        func blocks(_ value: Int) -> Set<Int> {
            let place = plan.places[value]
            let root = program.shapes[place.root]
            var all: Set<Int> = []
            for image in 0..<program.shapes[value].batch {
                for block in 0..<program.shapes[value].blocks {
                    let start =
                        plan.offsets[place.root]! + image * root.imageStride
                        + (place.channel / lanes + block) * root.blockStride
                    for n in stride(from: start, to: start + root.blockStride, by: lanes) { all.insert(n) }
                }
            }
            return all
        }
        let places = program.shapes.indices.map(blocks)
        #expect(places.allSatisfy { ($0.max() ?? 0) + lanes <= plan.count })
        // Who wrote each vector of the arena last.
        var owner: [Int: Int] = [:]
        for value in program.inputs { for n in places[value] { owner[n] = value } }
        for (s, step) in program.steps.enumerated() {
            for input in Set(step.inputs) {
                let intact = places[input].allSatisfy { isIntact(owner[$0], input, at: $0, program, places) }
                #expect(intact, "\(comment): step \(s) (\(step.operation)) reads a value that was overwritten")
            }
            if case .concatenation = step.operation {
                // Parts that lie in the whole already stay what they were.
                var rest = places[step.outputs[0]]
                var channel = 0
                for input in step.inputs {
                    if plan.isWithin(input, step.outputs[0], channel: channel) { rest.subtract(places[input]) }
                    channel += program.shapes[input].channels
                }
                for n in rest { owner[n] = step.outputs[0] }
                continue
            }
            for output in step.outputs {
                if case .slice = step.operation, places[output].isSubset(of: places[step.inputs[0]]) { continue }
                for n in places[output] { owner[n] = output }
            }
        }
        if program.outputsLastRead == nil {
            for output in program.outputs {
                for n in places[output] {
                    #expect(isIntact(owner[n], output, at: n, program, places), "\(comment): output")
                }
            }
        }
        for case let gradient? in program.inputGradients {
            for n in places[gradient] {
                #expect(isIntact(owner[n], gradient, at: n, program, places), "\(comment): gradient of an input")
            }
        }
    }

    /// Whether what `owner` wrote at place `n` is (a part of) the value: itself, the whole it is a slice of, or that part
    /// of the joined map which lies there.
    private func isIntact(_ owner: Int?, _ value: Int, at n: Int, _ program: Program, _ places: [Set<Int>]) -> Bool {
        guard let owner else { return false }
        if owner == value { return true }
        return program.steps.contains { step in
            switch step.operation {
            case .slice: step.outputs[0] == value && isIntact(owner, step.inputs[0], at: n, program, places)
            case .concatenation:
                step.outputs[0] == value
                    && step.inputs.contains {
                        places[$0].contains(n) && isIntact(owner, $0, at: n, program, places)
                    }
            default: false
            }
        }
    }

    @Test func programsOfAllArchitecturesNeverOverwriteWhatIsNeeded() throws {
        var rim = QSMRimNet()
        rim.fusion = .concatenation
        var deepMIR = UNet.deepMIR(inputChannels: 1)
        deepMIR.widths = [16, 32, 48]
        var odd = UNet.residual(inputChannels: 1, classes: 2)
        odd.widths = [5, 24]
        let networks: [(Network, [FeatureShape])] = [
            (try deepMIR.network(), [.init(batch: 2, channels: 1, size: Extent3(1, 8, 8))]),
            (try odd.network(), [.init(batch: 2, channels: 1, size: Extent3(4, 4, 4))]),
            (try NetworkFixtures.everything(rank: 3), [.init(batch: 2, channels: 3, size: Extent3(4, 4, 4))]),
            (
                try rim.network(),
                [
                    .init(batch: 2, channels: 2, size: Extent3(16, 16, 16)),
                    .init(batch: 2, channels: 527, size: .one),
                ]
            ),
        ]
        for (n, (network, shapes)) in networks.enumerated() {
            for folds in [false, true] {
                let form = try InferenceForm(network, nil, folds: folds)
                check(try Program.forward(form.network, inputShapes: shapes, training: false).program, "inference \(n)")
            }
            var training = try Program.forward(network, inputShapes: shapes, training: true).program
            training.appendBackwardPass(from: [0])
            check(training, "training \(n)")
        }
    }

    /// Random graphs of layers that share, join, split and work in place.
    @Test(arguments: 0..<60)
    func randomNetworksNeverOverwriteWhatIsNeeded(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        func pick(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
        var builder = NetworkBuilder()
        var values = [try builder.input("image", channels: 16, rank: 2)]
        for n in 0..<(4 + pick(16)) {
            let x = values[max(0, values.count - 1 - pick(4))]
            let partners = values.filter { $0.channels == x.channels }
            let other = partners[pick(partners.count)]
            let name = "layer\(n)"
            switch pick(9) {
            case 0: values.append(try builder.relu(name, x))
            case 1: values.append(try builder.add(name, .activation(function: .swish), x))
            case 2: values.append(try builder.batchNormalisation(name, x))
            case 3: values.append(try builder.add(name, .dropout(probability: 0.5, wholeChannels: false), x))
            case 4: values.append(try builder.add(name, .addition, x, other))
            case 5 where x.channels + other.channels < 100:
                values.append(try builder.add(name, .concatenation, x, values[pick(values.count)]))
            case 6: values.append(try builder.add(name, .multiplication, x, other))
            case 7: values.append(try builder.add(name, .softmax, x))
            default:
                values.append(try builder.convolution(name, x, channels: [5, 16, 32][pick(3)], kernel: 3))
            }
        }
        let outputs = pick(2) == 0 ? [values[values.count - 1]] : [values[values.count - 1], values[values.count / 2]]
        let network = try builder.network(outputs: outputs)
        let shape = FeatureShape(batch: 2, channels: 16, size: Extent3(1, 2, 2))
        check(try Program.forward(network, inputShapes: [shape], training: false).program, "inference, seed \(seed)")
        var training = try Program.forward(network, inputShapes: [shape], training: true).program
        var withInputs = training
        training.appendBackwardPass(from: Set(outputs.indices))
        check(training, "training, seed \(seed)")
        withInputs.appendBackwardPass(from: Set(outputs.indices), inputGradients: true)
        #expect(withInputs.inputGradients.count == 1)
        check(withInputs, "training with gradients of inputs, seed \(seed)")
    }

    /// Joining costs no copy in a U-Net whose widths fill blocks, and activations no memory of their own.
    @Test func joinedMapsAreWrittenInPlace() throws {
        let network = try UNet.tutorial(inputChannels: 1, classes: 2).network()
        let shape = FeatureShape(batch: 1, channels: 1, size: Extent3(repeating: 16))
        let (program, _) = try Program.forward(network, inputShapes: [shape], training: false)
        let plan = BufferPlan(program)
        let joins = program.steps.filter { $0.operation == .concatenation }
        #expect(joins.count == 4)
        for join in joins {
            var channel = 0
            for part in join.inputs {
                #expect(plan.isWithin(part, join.outputs[0], channel: channel))
                channel += program.shapes[part].channels
            }
        }
        #expect(plan.count <= plan.lowerBound * 11 / 10)
    }
}
