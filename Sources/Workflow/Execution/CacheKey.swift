import BIDS
import Foundation

/// Name of a result before it is computed: equal keys, equal results.
///
/// Holds what can change the bytes of the result (kind and its code version, parameters, the content of the inputs and
/// what is known about them) and leaves out what cannot (paths, times, memory, timeout, worker, the number of a fold).
package enum CacheKey {
    package static func make(
        kind: String, kindVersion: Int, parameters: JSONValue, inputs: [TaskInput], missing: [MissingInput],
        context: TaskContext, salt: String?
    ) -> ArtifactDigest {
        let ports = TaskKindCatalog.kind(kind)
        func isModel(_ port: String) -> Bool { ports?.input(port)?.format == .model }
        // A fold's number tells gathered inputs apart and says nothing by itself: what a fold is are the files of its people.
        var folds: [String: Set<Int?>] = [:]
        for input in inputs { folds[input.port, default: []].insert(input.context.fold) }
        for gap in missing { folds[gap.port, default: []].insert(gap.context.fold) }
        func described(_ context: TaskContext, of port: String) -> JSONValue {
            .string(((folds[port]?.count ?? 0) > 1 ? context : context.withoutFold).description)
        }
        let items = inputs.sorted { a, b in
            if a.port != b.port { return a.port < b.port }
            return isModel(a.port) ? a.digest < b.digest : (a.context, a.name) < (b.context, b.name)
        }.map { input in
            // A model says all of itself; whether a step made it, a name stands for it or a path leads to it is one.
            if isModel(input.port) {
                return JSONValue.object(["port": .string(input.port), "digest": .string(input.digest.hex)])
            }
            return JSONValue.object([
                "port": .string(input.port), "context": described(input.context, of: input.port),
                "name": .string(input.name), "digest": .string(input.digest.hex), "metadata": input.metadata ?? .null,
            ])
        }
        let gaps = missing.sorted { ($0.port, $0.context) < ($1.port, $1.context) }.map { gap in
            JSONValue.object(["port": .string(gap.port), "context": described(gap.context, of: gap.port)])
        }
        let key = JSONValue.object([
            "format": .integer(1), "kind": .string(kind), "version": .integer(Int64(kindVersion)),
            "parameters": parameters, "inputs": .array(items), "missing": .array(gaps),
            "context": .string(context.withoutFold.description), "salt": salt.map { .string($0) } ?? .null,
        ])
        return ArtifactDigest(of: key.canonicalData)
    }
}
