import Networks
import Testing

struct NetworkErrorTests {
    @Test func aShapeErrorNamesTheLayer() {
        let error = NetworkError.shape(layer: "encoder1.conv", problem: "expects 16 channels and is given 15")
        #expect("\(error)" == "layer encoder1.conv: expects 16 channels and is given 15")
    }
}
