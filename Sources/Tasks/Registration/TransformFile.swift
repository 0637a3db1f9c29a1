import BIDS
import Foundation
import Kernels

/// An affine map between two worlds as a JSON file: `matrix` holds the 4×4 rows, world mm to world mm, RAS+.
enum TransformFile {
    static func encode(_ affine: Affine, from source: String, to target: String) -> JSONValue {
        func row(_ r: SIMD4<Double>) -> JSONValue { .array((0..<4).map { .number(r[$0]) }) }
        return .object([
            "matrix": .array([row(affine.rows.0), row(affine.rows.1), row(affine.rows.2), [0, 0, 0, 1]]),
            "coordinates": "world millimetres, RAS+", "from": .string(source), "to": .string(target),
        ])
    }

    static func decode(_ value: JSONValue, name: String) throws -> Affine {
        func row(_ r: Int) -> SIMD4<Double>? {
            let numbers = (value["matrix"]?[r]?.arrayValue ?? []).compactMap(\.doubleValue)
            return numbers.count == 4 ? SIMD4(numbers[0], numbers[1], numbers[2], numbers[3]) : nil
        }
        guard let x = row(0), let y = row(1), let z = row(2), Affine(x, y, z).inverse != nil else {
            throw Problem.notATransform(name)
        }
        return Affine(x, y, z)
    }

    enum Problem: Error, CustomStringConvertible {
        case notATransform(String)
        var description: String {
            switch self {
            case .notATransform(let name): "\(name) holds no invertible 4×4 matrix under “matrix”; write it anew"
            }
        }
    }
}
