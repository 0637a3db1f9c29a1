import BIDS
import Foundation
import HTTPTypes
import Testing
import Wire
import Workflow

@testable import Coordinator

@Suite struct HTTPOpenAPITests {
    @Test func theDocumentAndTheRouterKnowTheSameOperations() async throws {
        try await APIFixture.with { api in
            let document = try JSONValue.parse(Data(try await api.send(.get, "/v1/openapi.json", token: nil).body))
            var documented: Set<String> = []
            for (path, methods) in try #require(document["paths"]?.objectValue) {
                for method in try #require(methods.objectValue).keys {
                    documented.insert("\(method.uppercased()) \(path)")
                }
            }
            let routes = APIRoutes.all(api.server.parts)
            #expect(documented == Set(routes.map { "\($0.method.rawValue) \($0.path)" }))
            // What the document lists is answered: by a handler, not by "no such route".
            for route in routes {
                let path = route.path.replacing(#/\{\w+\}/#, with: "x")
                let answer = try await api.send(route.method, path, token: nil)
                #expect(answer.status != 404 && answer.status != 405, "\(route.operation): \(answer.status)")
            }
            #expect(Set(routes.map(\.operation)).count == routes.count)
        }
    }

    @Test func everyPathParameterIsDescribed() async throws {
        try await APIFixture.with { api in
            for route in APIRoutes.all(api.server.parts) {
                let inPath = route.path.matches(of: #/\{(\w+)\}/#).map { String($0.1) }
                #expect(route.parameters.filter { $0.place == .path }.map(\.name) == inPath, "\(route.operation)")
            }
        }
    }

    @Test func everyReferenceLeadsToASchemaAndEverySchemaIsUsed() async throws {
        try await APIFixture.with { api in
            let text = String(decoding: try await api.send(.get, "/v1/openapi.json", token: nil).body, as: UTF8.self)
            let used = Set(text.matches(of: #/#\/components\/schemas\/(\w+)/#).map { String($0.1) })
            #expect(used == Set(WireSchemas.all.keys))
        }
    }

    /// Encodes a full and a sparse value of every type of the wire and holds it against its schema: no member may be
    /// unknown to the schema, none may be missing, none of another type.
    @Test(arguments: WireSamples.all)
    func schemasDescribeTheTypes(sample: WireSamples.Sample) throws {
        let json = try JSONValue.parse(try sample.encoded())
        let schema = try #require(WireSchemas.all[sample.schema]?.json, "\(sample.schema)")
        #expect(SchemaCheck.problems(json, schema, at: sample.schema) == [])
    }

    @Test func everySchemaHasASample() {
        let internalOnes: Set = ["OpenAPI"]
        #expect(Set(WireSchemas.all.keys).subtracting(WireSamples.all.map(\.schema)) == internalOnes)
    }

    @Test func theCheckItselfFindsDifferences() {
        let schema = Schema.object("", .required("a", .integer(minimum: 1)), .optional("b", .list(of: .string()))).json
        #expect(SchemaCheck.problems(["a": 1], schema, at: "") == [])
        #expect(SchemaCheck.problems(["a": 1, "c": 1], schema, at: "").count == 1)
        #expect(SchemaCheck.problems(["b": []], schema, at: "").count == 1)
        #expect(SchemaCheck.problems(["a": 0], schema, at: "").count == 1)
        #expect(SchemaCheck.problems(["a": 1, "b": [1]], schema, at: "").count == 1)
        #expect(SchemaCheck.problems(["a": "1"], schema, at: "").count == 1)
    }

    /// JSON as other programs write it. These texts are the protocol: a change that breaks one breaks every client.
    @Test func goldenBodiesDecode() throws {
        func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
            try JSONDecoder().decode(type, from: Data(text.utf8))
        }
        let session = try decode(
            SessionRequest.self,
            """
            {"worker":"node1","bootID":"2F1C1F0A-6B5D-4F0E-9D3C-0F4B6C8A1E11","cores":8,"memoryMiB":16000,
             "kinds":{"brain.mask":1},"commands":["ants"],"instructionSet":"x86-64-v4","version":"0.1.0"}
            """)
        #expect(session.kinds == ["brain.mask": 1])
        let completion = try decode(
            CompletionRequest.self,
            """
            {"items":[{"lease":{"task":16777217,"token":{"attempt":2,"nonce":"2F1C1F0A-6B5D-4F0E-9D3C-0F4B6C8A1E11"}},
             "outcome":"out_of_memory","message":"It needs more.","outputs":[{"port":"mask","name":"mask.nii.gz",
             "digest":"\(String(repeating: "ab", count: 32))","sizeBytes":12,"mediaType":"application/x-nifti"}],
             "measurements":[{"metric":"mean","value":0.05,"unit":"ppm","region":"L_putamen",
             "context":{"subject":"01"}}],"warnings":["w"],"usage":{"wallMilliseconds":1,"userMilliseconds":2,
             "systemMilliseconds":3,"peakResidentMiB":4,"stagedBytes":5,"uploadedBytes":6,"signal":9},"logTail":"end"}]}
            """)
        #expect(completion.items[0].lease.task == TaskID(run: RunID(rawValue: 1), ordinal: 1))
        #expect(completion.items[0].outcome == .outOfMemory)
        #expect(completion.items[0].measurements[0].context?.subject == "01")
        let run = try decode(
            RunRequest.self,
            """
            {"workflowText":"name: x","workflowPath":"/x.yaml","dataset":"/data","derivatives":[],"atlases":{},
             "parameters":{"units":"ppb"},"rerunFrom":[],"weight":1}
            """)
        #expect(run.parameters["units"] == "ppb")
        #expect(run.participants == nil)
        let claim = try decode(
            ClaimRequest.self,
            """
            {"claim":"2F1C1F0A-6B5D-4F0E-9D3C-0F4B6C8A1E11","freeCores":1,"freeMemoryMiB":2,"maximumTasks":3,
             "waitMilliseconds":4}
            """)
        #expect(claim.maximumTasks == 3)
        let error = try decode(ErrorBody.self, #"{"error":{"code":"invalid","message":"No.","details":["a[0].b"]}}"#)
        #expect(error.error.details == ["a[0].b"])
    }
}
