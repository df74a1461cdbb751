// REQUIRES: tenon-run
// .npy files in and out, also column-major ones; a job that fails does not end the others.
// RUN: rm -rf %t && mkdir -p %t
// RUN: %python -c "import numpy as np; np.save(r'%t/x.npy', np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))); np.save(r'%t/u.npy', np.array([200, 7], dtype=np.uint8)); np.save(r'%t/d.npy', np.zeros((2, 3)))"
// RUN: tenon-run --reference %s --input x=%t/x.npy --input u=%t/u.npy --output-dir %t | FileCheck %s
// RUN: %python -c "import numpy as np; print(np.load(r'%t/y.npy').tolist(), np.load(r'%t/v.npy').dtype, np.load(r'%t/v.npy').tolist())" | FileCheck %s --check-prefix=FILES
// RUN: not tenon-run --reference %s --input x=%t/d.npy 2>&1 | FileCheck %s --check-prefix=TYPE
// RUN: not tenon-run --reference %s --input z=%t/x.npy 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not tenon-run --reference %s --input x=%t/u.npy 2>&1 | FileCheck %s --check-prefix=TYPE8
// RUN: not tenon-run --reference %s --input x=%s 2>&1 | FileCheck %s --check-prefix=NPY
// RUN: echo '{"model": "absent.onnx"}' > %t/jobs
// RUN: echo 'no job' >> %t/jobs
// RUN: echo '{"model": "%s", "inputs": {"x": "%t/x.npy"}, "prefix": "%t/job_"}' >> %t/jobs
// RUN: tenon-run --reference --jobs %t/jobs | FileCheck %s --check-prefix=JOBS
// RUN: ls %t/job_y.npy

// CHECK: y: 2x3xf32 [0, 2, 4, 6, 8, 10]
// FILES: {{\[\[}}0.0, 2.0, 4.0], [6.0, 8.0, 10.0]] uint8 [200, 7]
// TYPE: expected elements of type float32, but got float64
// TYPE8: expected elements of type float32, but got uint8
// NAME: no input 'z'
// NPY: is no .npy file
// JOBS: "ok":false
// JOBS: no JSON object on this line
// JOBS: "ok":true
func.func @main(%x: tensor<2x3xf32> {tenon.name = "x"}, %u: tensor<2xi8> {tenon.name = "u", tenon.dtype = "uint8"})
    -> (tensor<2x3xf32> {tenon.name = "y"}, tensor<2xi8> {tenon.name = "v", tenon.dtype = "uint8"}) {
  %y = arith.addf %x, %x : tensor<2x3xf32>
  return %y, %u : tensor<2x3xf32>, tensor<2xi8>
}
