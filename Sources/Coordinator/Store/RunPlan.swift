// From the tasks of an expanded workflow to the rows that are stored.

import BIDS
import Foundation
import Postgres
import Wire
import Workflow

/// The rows of a run, worked out before the transaction begins.
struct RunPlan: Sendable {
    struct Step: Sendable, Hashable {
        var position: Int
        var name: String
        var kind: String
        var kindVersion: Int
        var parameters: JSONValue
        var retry: RetryPolicy
        var fanIn: FanInPolicy
        var timeoutMilliseconds: Int64
        var cores: Int
        var memoryMiB: Int
        var command: String?
        var cacheSalt: String?
    }

    struct Task: Sendable {
        var step: Int
        var priority: Int16
        var parents: [Int]
        var task: ExpandedTask
    }

    var steps: [Step] = []
    var tasks: [Task] = []

    /// - Throws: `StoreError` for a graph out of order, or a file without digest.
    init(_ expanded: [ExpandedTask]) throws(StoreError) {
        guard expanded.count <= TaskID.ordinalLimit else { throw .tooManyTasks(expanded.count) }
        // Tasks of a step mostly differ in nothing that a step row holds; comparing whole parameter trees for each of a
        // hundred thousand tasks is avoided by looking at the last variant of the step first.
        var variants: [String: [Int]] = [:]
        var depth: [Int] = []
        depth.reserveCapacity(expanded.count)
        tasks.reserveCapacity(expanded.count)
        for (ordinal, task) in expanded.enumerated() {
            guard task.ordinal == ordinal else { throw .brokenGraph(step: task.step, ordinal: task.ordinal) }
            var parents: [Int] = []
            for input in task.inputs {
                switch input.source {
                case .file(let file):
                    // A task that cannot run is stored with what is known of it.
                    if task.problem == nil, file.digest == nil || file.sizeBytes == nil {
                        throw .missingDigest(step: task.step, path: file.path)
                    }
                case .output(let parent, _):
                    guard (0..<ordinal).contains(parent) else { throw .brokenGraph(step: task.step, ordinal: ordinal) }
                    parents.append(parent)
                }
            }
            parents = Set(parents).sorted()
            depth.append((parents.map { depth[$0] }.max() ?? -1) + 1)
            let step = Step(
                position: 0, name: task.step, kind: task.kind, kindVersion: task.kindVersion,
                parameters: task.parameters, retry: task.retry, fanIn: task.fanIn,
                timeoutMilliseconds: max(1, Int64((task.timeoutSeconds * 1000).rounded())),
                cores: task.resources.cores, memoryMiB: task.resources.memoryMiB,
                command: task.kind == "command" ? task.parameters["program"]?.stringValue : nil,
                cacheSalt: task.cacheSalt)
            let index: Int
            if let known = variants[task.step]?.last(where: { steps[$0].isSame(as: step) }) {
                index = known
            } else {
                index = steps.count
                steps.append(step)
                steps[index].position = index
                variants[task.step, default: []].append(index)
            }
            // Deeper first: a person's results are finished before the next person is begun. Twice the depth leaves
            // room for those that go in front of their peers.
            let priority = Int16(clamping: -2 * min(depth[ordinal], 16_000))
            tasks.append(Task(step: index, priority: priority, parents: parents, task: task))
        }
    }
}

extension RunPlan.Step {
    fileprivate func isSame(as other: RunPlan.Step) -> Bool {
        var copy = other
        copy.position = position
        return copy == self
    }
}
