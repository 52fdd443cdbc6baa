# textseg in a container: a user without rights, projects in a volume.
#
#   docker build -t textseg .                                      runs on an NVIDIA GPU too: docker run --gpus all ...
#   docker build -t textseg --build-arg TORCH_INDEX=INDEX .        takes PyTorch from INDEX, its wheels for the CPU, say
#
#   docker run --rm -v textseg:/projects textseg project new /projects/first --words "cat; kitten, sofa"
#   docker run --rm -v textseg:/projects -p 127.0.0.1:7860:7860 textseg
#
# compose.yaml keeps the project in PostgreSQL. See docs/containers.md.

ARG PYTHON=3.12
FROM python:${PYTHON}-slim AS wheel
WORKDIR /source
COPY pyproject.toml setup.py requirements.txt README.md LICENSE NOTICE ./
COPY textseg ./textseg
COPY trainer ./trainer
COPY assets ./assets
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim
# Where pip finds PyTorch; empty: where it finds everything else, and then it is a build that brings CUDA along.
ARG TORCH_INDEX=
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch torchvision
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir "$(ls /wheels/*.whl)[train,formats,postgres]" && rm -r /wheels

RUN useradd --uid 10001 --create-home textseg && install -d -o textseg -g textseg -m 0700 /projects
USER textseg
WORKDIR /home/textseg
ENV GRADIO_ANALYTICS_ENABLED=False HF_HUB_DISABLE_TELEMETRY=1 PYTHONUNBUFFERED=1
VOLUME /projects
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/', timeout=4)"]
ENTRYPOINT ["textseg"]
CMD ["serve", "--host", "0.0.0.0", "--project", "/projects/first", "--share-project"]
