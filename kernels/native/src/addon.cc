// The add-on's JavaScript side: { sources, kernels: { name(...typedArraysOrNull, ...numbers) }, configure(threads, isa),
// preferLargePages(array) }; STATESCOPE_SOURCES is the key of all sources, which the caller compares with its own.
// Plain Node-API in C, so it compiles in a second and works in every Node version and every Worker.
#include <node_api.h>

#include <string>

#include "core/dispatch.h"
#include "core/float_mode.h"
#include "core/pages.h"
#include "core/pool.h"
#include "core/runtime.h"

namespace statescope {
namespace {

napi_value fail(napi_env env, const std::string& message) {
  napi_throw_error(env, nullptr, message.c_str());
  return nullptr;
}

// Sorts the values of one call into typed arrays and numbers; false after throwing.
bool readArguments(napi_env env, const napi_value* values, size_t count, Arguments* args) {
  args->bufferCount = args->numberCount = 0;
  for (size_t i = 0; i < count; i++) {
    napi_valuetype type;
    napi_typeof(env, values[i], &type);
    if (type == napi_number && args->numberCount < kMaxNumbers) {
      napi_get_value_double(env, values[i], &args->numbers[args->numberCount++]);
      continue;
    }
    if (type == napi_null && args->bufferCount < kMaxBuffers) {
      args->buffers[args->bufferCount] = nullptr;
      args->lengths[args->bufferCount++] = 0;
      continue;
    }
    if (type != napi_object || args->bufferCount >= kMaxBuffers ||
        napi_get_typedarray_info(env, values[i], nullptr, &args->lengths[args->bufferCount],
                                 &args->buffers[args->bufferCount], nullptr, nullptr) != napi_ok) {
      fail(env, "A kernel takes typed arrays, null and numbers; argument " + std::to_string(i) + " is none of them.");
      return false;
    }
    args->bufferCount++;
  }
  return true;
}

napi_value callKernel(napi_env env, napi_callback_info info) {
  constexpr size_t kMax = kMaxBuffers + kMaxNumbers;
  napi_value values[kMax];
  size_t count = kMax;
  void* data = nullptr;
  napi_get_cb_info(env, info, &count, values, nullptr, &data);
  if (count > kMax) return fail(env, "A kernel was called with too many arguments.");
  Arguments args;
  if (!readArguments(env, values, count, &args)) return nullptr;
  const KernelFunction function = static_cast<const Kernel*>(data)->byIsa[selectedIsa()];
  if (!function) return fail(env, std::string("This kernel was not compiled for ") + isaName(selectedIsa()) + ".");
  try {
    FlushDenormals mode;
    function(args);
  } catch (const std::exception& error) {
    return fail(env, error.what());
  }
  return nullptr;
}

// configure(threads, isa): 0 and '' leave a setting as it is. Returns what is in force.
napi_value configure(napi_env env, napi_callback_info info) {
  napi_value values[2];
  size_t count = 2;
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  int32_t threads = 0;
  char isa[32] = "";
  if (count > 0) napi_get_value_int32(env, values[0], &threads);
  if (count > 1) napi_get_value_string_utf8(env, values[1], isa, sizeof isa, nullptr);
  if (threads > 0) setThreadCount(threads);
  if (isa[0] && !selectIsa(isa)) return fail(env, std::string("This processor does not run '") + isa + "' kernels.");
  napi_value result, text, number;
  napi_create_object(env, &result);
  napi_create_string_utf8(env, isaName(selectedIsa()), NAPI_AUTO_LENGTH, &text);
  napi_set_named_property(env, result, "isa", text);
  napi_create_int32(env, threadCount(), &number);
  napi_set_named_property(env, result, "threads", number);
  return result;
}

// preferLargePages(array): for a typed array that nobody has written to.
napi_value largePages(napi_env env, napi_callback_info info) {
  napi_value array, whole;
  size_t count = 1, length = 0;
  void* memory = nullptr;
  napi_get_cb_info(env, info, &count, &array, nullptr, nullptr);
  if (count < 1 || napi_get_typedarray_info(env, array, nullptr, nullptr, nullptr, &whole, nullptr) != napi_ok ||
      napi_get_arraybuffer_info(env, whole, &memory, &length) != napi_ok)
    return fail(env, "preferLargePages takes a typed array.");
  preferLargePages(memory, length);
  return nullptr;
}

void defineFunction(napi_env env, napi_value object, const char* name, napi_callback callback, const void* data) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, const_cast<void*>(data), &function);
  napi_set_named_property(env, object, name, function);
}

}  // namespace
}  // namespace statescope

NAPI_MODULE_INIT() {
  using namespace statescope;
  static const bool chosen = selectIsa(isaName(bestIsa()));
  (void)chosen;
  napi_value table;
  napi_create_object(env, &table);
  for (const auto& entry : kernels()) defineFunction(env, table, entry.first.c_str(), callKernel, &entry.second);
  napi_set_named_property(env, exports, "kernels", table);
  napi_value sources;
  napi_create_string_utf8(env, STATESCOPE_SOURCES, NAPI_AUTO_LENGTH, &sources);
  napi_set_named_property(env, exports, "sources", sources);
  defineFunction(env, exports, "configure", configure, nullptr);
  defineFunction(env, exports, "preferLargePages", largePages, nullptr);
  return exports;
}
