import BIDS
import Testing
import Workflow

/// What the name of a result holds, and what it leaves out.
@Suite struct CacheKeyTests {
    private func input(_ port: String, _ name: String, _ bytes: String, metadata: JSONValue? = nil) -> TaskInput {
        TaskInput(
            port: port, context: TaskContext(subject: "01"), name: name, digest: ArtifactDigest(of: Array(bytes.utf8)),
            sizeBytes: 1, sourcePath: "/data/\(name)", metadata: metadata)
    }

    private func key(_ kind: String, _ inputs: [TaskInput]) -> ArtifactDigest {
        CacheKey.make(
            kind: kind, kindVersion: 1, parameters: [:], inputs: inputs, missing: [], context: .cohort, salt: nil)
    }

    @Test func aModelIsItsBytesHoweverItIsCalled() {
        let image = input("image", "sub-01_Chimap.nii.gz", "image")
        var trained = input("model", "model.safetensors", "model", metadata: ["type": "model", "card": ["name": "a"]])
        trained.context = .cohort
        let named = input("model", "0123456789ab.safetensors", "model")
        #expect(key("network.segment", [image, trained]) == key("network.segment", [image, named]))
        let other = input("model", "model.safetensors", "another model")
        #expect(key("network.segment", [image, named]) != key("network.segment", [image, other]))
        // What else a task reads is known by its name and sidecar too, and a program may look at any name.
        let renamed = input("image", "sub-01_echo-1_Chimap.nii.gz", "image")
        #expect(key("network.segment", [image, named]) != key("network.segment", [renamed, named]))
        #expect(key("command", [trained]) != key("command", [named]))
    }
}
