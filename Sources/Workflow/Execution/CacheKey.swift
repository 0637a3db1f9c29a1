import BIDS
import Foundation

/// Name of a result before it is computed: equal keys, equal results.
///
/// Holds what can change the bytes of the result (kind and its code version, parameters, the content of the inputs and
/// what is known about them) and leaves out what cannot (paths, times, memory, timeout, worker).
package enum CacheKey {
    package static func make(
        kind: String, kindVersion: Int, parameters: JSONValue, inputs: [TaskInput], missing: [MissingInput],
        context: TaskContext, salt: String?
    ) -> ArtifactDigest {
        let ports = TaskKindCatalog.kind(kind)
        let items = inputs.sorted { ($0.port, $0.context, $0.name) < ($1.port, $1.context, $1.name) }.map { input in
            // A model says all of itself; whether a step made it, a name stands for it or a path leads to it is one.
            if ports?.input(input.port)?.format == .model {
                return JSONValue.object(["port": .string(input.port), "digest": .string(input.digest.hex)])
            }
            return JSONValue.object([
                "port": .string(input.port), "context": .string(input.context.description),
                "name": .string(input.name), "digest": .string(input.digest.hex), "metadata": input.metadata ?? .null,
            ])
        }
        let gaps = missing.sorted { ($0.port, $0.context) < ($1.port, $1.context) }.map { gap in
            JSONValue.object(["port": .string(gap.port), "context": .string(gap.context.description)])
        }
        let key = JSONValue.object([
            "format": .integer(1), "kind": .string(kind), "version": .integer(Int64(kindVersion)),
            "parameters": parameters, "inputs": .array(items), "missing": .array(gaps),
            "context": .string(context.description), "salt": salt.map { .string($0) } ?? .null,
        ])
        return ArtifactDigest(of: key.canonicalData)
    }
}
