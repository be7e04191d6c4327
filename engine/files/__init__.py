"""Picture files and arrays, in and out. Never imports torch.

read.read(path), arrays.picture_from(path | PIL image | array), arrays.to_pil(picture), write.write(picture, path).
"""
